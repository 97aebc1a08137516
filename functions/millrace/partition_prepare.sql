/*
 * Prepares everything that is derived from a partitioned table to outlive its rows, as far as that
 * is not done. Views that others may be reading are replaced; each is waited for no longer than a
 * tenth of a second, because readers wait for those that are replaced already.
 */
create or replace function millrace.partition_prepare(relation regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_timeout constant text := current_setting('lock_timeout');
begin
  perform millrace.partition_check_keep(partition_prepare.relation);
  if not exists (
    select from millrace.partition_readers(partition_prepare.relation) r
    where r.kind in ('counter', 'materialize')
      and not exists (select from millrace.partition_kept k where k.name = r.name)
  ) then
    return;
  end if;
  perform millrace.lock_relation(r.id)
    from millrace.partition_readers(partition_prepare.relation) r
    where r.kind = 'materialize'
    order by r.id;
  perform millrace.lock_engine();
  perform set_config('lock_timeout', '100ms', true);
  perform millrace.partition_keep(r.id, partition_prepare.relation)
    from millrace.partition_readers(partition_prepare.relation) r
    where r.kind in ('counter', 'materialize')
    order by r.name;
  perform set_config('lock_timeout', v_timeout, true);
end
$$;

comment on function millrace.partition_prepare(regclass) is
  'Prepares what is derived from a table to outlive rows of it; MR048 where that is not possible.';
