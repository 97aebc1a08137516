/*
 * Brings the logs that an older engine made up to this one, all of them at once, when a declaration
 * is repeated: rows that wait in them are kept, and counted until a drain takes them.
 */
create or replace function millrace.renew_logs()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_old regclass[];
  v_logs regclass[];
begin
  select array_agg(s.relation order by s.relation), array_agg(s.log)
    into v_old, v_logs
    from millrace.source s
    join pg_catalog.pg_class c on c.oid = s.relation
    where not exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = s.log and a.attname = 'recorded_in'
    );
  if v_old is not null then
    perform millrace.lock_tables(v_old, v_logs);
    perform millrace.refresh_log(o.relation) from unnest(v_old) o(relation);
  end if;
end
$$;

comment on function millrace.renew_logs() is
  'Brings the logs that an older engine made up to this one.';
