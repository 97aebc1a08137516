/*
 * Whether the truth of one key can be found without reading the whole source: then reconcile and
 * backfill go key by key in batches, otherwise they read everything in one statement.
 */
create or replace function millrace.is_indexed(derivation millrace.derivation)
  returns boolean
  language sql
  stable
  set search_path to ''
begin atomic
  with needed(relation, columns) as (
    -- a key that is the source's needs an index there
    select (is_indexed.derivation).source, array_agg(substr(k.key, 8)::name)
    from unnest((is_indexed.derivation).key) k(key)
    having bool_and(k.key like 'source.%')
    union all
    -- one that is the through table's needs one there, and one along the foreign key
    select side.relation, array[side.column_name]
    from unnest((is_indexed.derivation).key) k(key)
    cross join lateral (values
      ((is_indexed.derivation).through, substr(k.key, 5)::name),
      ((is_indexed.derivation).source, (is_indexed.derivation).source_key[1])
    ) side(relation, column_name)
    where k.key like 'via.%'
  )
  select bool_and(exists (
    select from pg_catalog.pg_index i
    where i.indrelid = n.relation and i.indisvalid and i.indpred is null and i.indexprs is null
      and n.columns @> array(
        select a.attname
        from unnest(i.indkey::smallint[]) with ordinality u(attnum, position)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
        where u.position <= cardinality(n.columns)
      )
  ))
  from needed n;
end;

comment on function millrace.is_indexed(millrace.derivation) is
  'Whether indexes find the rows that count for one key.';
