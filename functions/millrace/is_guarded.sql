/*
 * Whether foreign keys make sure that these columns of a table only ever name rows of the target
 * that exist. Then a target row is always older than the rows that count for it, and starts at
 * zero; otherwise a new target row has to be counted when it appears. Follows composite keys:
 * (opinion_id, conversation_id) -> opinion, whose conversation_id -> conversation.
 */
create or replace function millrace.is_guarded(
  relation regclass, columns name[], target regclass, target_key name[]
)
  returns boolean
  language sql
  stable
  set search_path to ''
return (
  with recursive reached(relation, columns, depth) as (
    select is_guarded.relation, is_guarded.columns, 0
    union all
    select k.referenced, k.referenced_columns, r.depth + 1
    from reached r
    cross join lateral (
      select c.confrelid::regclass as referenced, (
        select array_agg(b.attname order by w.position)
        from unnest(r.columns) with ordinality w(name, position)
        join unnest(c.conkey, c.confkey) u(attnum, referenced_attnum) on true
        join pg_catalog.pg_attribute a
          on a.attrelid = c.conrelid and a.attnum = u.attnum and a.attname = w.name
        join pg_catalog.pg_attribute b
          on b.attrelid = c.confrelid and b.attnum = u.referenced_attnum
      ) as referenced_columns
      from pg_catalog.pg_constraint c
      where c.contype = 'f' and c.conrelid = r.relation and c.convalidated
    ) k
    where cardinality(k.referenced_columns) = cardinality(r.columns) and r.depth < 4
  )
  select exists (
    select from reached r
    where r.depth > 0 and r.relation = is_guarded.target and r.columns = is_guarded.target_key
  )
);

comment on function millrace.is_guarded(regclass, name[], regclass, name[]) is
  'Whether foreign keys make every key of the source name an existing row of the target.';
