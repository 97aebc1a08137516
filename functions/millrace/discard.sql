/*
 * Empties those of the logs that only paused or failed derivations read: they are recounted when they come back, so
 * nobody needs the rows.
 */
create or replace function millrace.discard(pending regclass[])
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_log text;
begin
  for v_log in
    select millrace.qualified_name(s.log) from millrace.source s
    where s.log = any (discard.pending) and not exists (
      select from millrace.derivation d
      where s.relation in (d.source, d.through) and d.state in ('active', 'backfilling')
    )
    union all
    select l.log
    from millrace.derivation d
    cross join lateral unnest(array[(millrace.generated(d)).carry, (millrace.generated(d)).recount]) l(log)
    where to_regclass(l.log) = any (discard.pending)
    group by l.log
    having bool_and(d.state not in ('active', 'backfilling'))
  loop
    execute format('delete from %s', v_log);
  end loop;
end
$$;

comment on function millrace.discard(regclass[]) is 'Empties logs whose only readers are paused or failed.';
