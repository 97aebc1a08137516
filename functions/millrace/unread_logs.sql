/*
 * Those of the logs that only paused or failed derivations read: they are recounted when they come
 * back, so nobody needs the rows.
 */
create or replace function millrace.unread_logs(pending regclass[])
  returns text[]
  language sql
  stable
  set search_path to ''
return array(
    select millrace.qualified_name(s.log) from millrace.source s
    where s.log = any (unread_logs.pending) and not exists (
      select from millrace.reading r where r.relation = s.relation and r.is_drained
    )
    union all
    select l.log
    from millrace.derivation d
    cross join lateral unnest(
      array[(millrace.generated(d)).carry, (millrace.generated(d)).recount]
    ) l(log)
    where d.kind = 'counter' and to_regclass(l.log) = any (unread_logs.pending)
    group by l.log
    having bool_and(d.state not in ('active', 'backfilling'))
);

comment on function millrace.unread_logs(regclass[]) is
  'The logs whose only readers are paused or failed.';
