/*
 * The foreign keys of a derived relation as PostGraphile's smart tags: a column that is a table's
 * primary key, or part of one of its foreign keys, refers where that refers. Real foreign keys
 * would make the job that writes the relation wait for whoever holds the referenced rows.
 */
create or replace function millrace.smart_tags(derivation millrace.derivation)
  returns text
  language sql
  stable
  set search_path to ''
begin atomic
  with origin as materialized (
    select o.name, o.relation, o.attnum,
      count(*) over (partition by o.relation, o.attnum) as uses
    from millrace.column_origins(
      (millrace.relation_names((smart_tags.derivation).name)).definition::regclass) o
  ),
  reference as (
    select k.oid, k.conrelid, k.conkey,
      case k.contype when 'p' then k.conrelid else k.confrelid end as referenced,
      case k.contype when 'p' then k.conkey else k.confkey end as referenced_key
    from pg_catalog.pg_constraint k
    where k.contype in ('p', 'f') and k.conparentid = 0
      and k.conrelid in (select o.relation from origin o)
  )
  select string_agg(distinct format('@foreignKey (%s) references %s (%s)',
    c.columns, millrace.qualified_name(r.referenced), c.referenced_columns), E'\n')
  from reference r
  cross join lateral (
    select
      string_agg(quote_ident(o.name), ', ' order by k.position) as columns,
      string_agg(quote_ident(a.attname), ', ' order by k.position) as referenced_columns,
      count(*) as columns_found
    from unnest(r.conkey, r.referenced_key) with ordinality k(attnum, referenced, position)
    join origin o on o.relation = r.conrelid and o.attnum = k.attnum and o.uses = 1
    join pg_catalog.pg_attribute a on a.attrelid = r.referenced and a.attnum = k.referenced
  ) c
  join pg_catalog.pg_class t on t.oid = r.referenced
  where c.columns_found = cardinality(r.conkey);
end;

comment on function millrace.smart_tags(millrace.derivation) is
  'The foreign keys of a derived relation as PostGraphile''s smart tags.';
