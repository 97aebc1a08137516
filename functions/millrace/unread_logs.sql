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
    select millrace.qualified_name(t.log)
    from millrace.target_logs() t
    where t.log = any (unread_logs.pending) and not exists (
      select from millrace.derivation d
      where d.kind = 'counter' and d.target = t.target and d.state in ('active', 'backfilling')
    )
);

comment on function millrace.unread_logs(regclass[]) is
  'The logs whose only readers are paused or failed.';
