/*
 * The columns of a unique index that lie within a key, in the order of the index; all ascending; of
 * several the fewest. Null where there is none.
 */
create or replace function millrace.unique_key(relation regclass, key name[])
  returns name[]
  language sql
  stable
  set search_path to ''
return (
  select c.columns
  from pg_catalog.pg_index i
  cross join lateral (
    select array_agg(a.attname order by u.position) as columns
    from unnest(i.indkey::smallint[]) with ordinality u(attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
    where u.position <= i.indnkeyatts
  ) c
  where i.indrelid = unique_key.relation
    and i.indisunique and i.indimmediate and i.indisvalid
    and i.indpred is null and i.indexprs is null
    and 0 = all (i.indoption::smallint[])
    and unique_key.key @> c.columns
  order by i.indnkeyatts, i.indisprimary desc, i.indexrelid
  limit 1
);

comment on function millrace.unique_key(regclass, name[]) is
  'The columns of a unique index within a key, in its order; null without one.';
