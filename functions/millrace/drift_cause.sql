/*
 * The likely cause of drift, from what can be seen afterwards, the surest first: a trigger of the
 * engine that is missing or disabled, a changed definition, a statement that wrote what is derived
 * itself, a write that fires no statement trigger of the table, or a mapping that leaves keys out.
 */
create or replace function millrace.drift_cause(derivation millrace.derivation)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select coalesce(
    (
      select format('trigger %s of %s is %s', t.trigger_name, millrace.qualified_name(r.relation),
        case when g.tgname is null then 'missing' else 'disabled' end)
      from (
        select g.relation from millrace.reading g where g.id = (drift_cause.derivation).id
      ) r
      cross join unnest(array['insert', 'update', 'delete', 'truncate']) o(operation)
      cross join lateral (select ('_900_millrace_' || o.operation)::name as trigger_name) t
      left join pg_catalog.pg_trigger g on g.tgrelid = r.relation and g.tgname = t.trigger_name
      where r.relation is not null and (g.tgname is null or g.tgenabled not in ('O', 'A'))
      limit 1
    ),
    (
      select format('a view that %s reads was changed: declare it again',
        (drift_cause.derivation).definition)
      where millrace.fingerprint(to_regclass((drift_cause.derivation).definition))
        <> (drift_cause.derivation).fingerprint
    ),
    (
      select format('%s was written directly by %s at %s',
        (drift_cause.derivation).name, w.written_by, w.written_at)
      from millrace.direct_write w
      where w.target = (drift_cause.derivation).target
        and w.target_column = coalesce((drift_cause.derivation).target_column, '*')
        and w.written_at > coalesce((drift_cause.derivation).last_reconciled_at, '-infinity')
      order by w.written_at desc
      limit 1
    ),
    (
      select format(
        'a partition of %s was written, truncated, attached or detached directly, '
        'or triggers were off for a while', millrace.qualified_name(c.oid))
      from pg_catalog.pg_class c
      where c.relkind = 'p' and c.oid in (
        select g.relation from millrace.reading g where g.id = (drift_cause.derivation).id)
      limit 1
    ),
    case when (drift_cause.derivation).strategy = 'incremental'
      then 'a mapping in sources misses keys, or ' else '' end
    || 'rows were written with triggers off (disabled and enabled again, '
      'session_replication_role = replica, logical replication)'
  )
);

comment on function millrace.drift_cause(millrace.derivation) is 'The likely cause of drift.';
