/*
 * What derivations make of weighted images (images_sql): for each image that counts the target's
 * key, for a distinct count member_1, ..., and one column for each counter. Derivations given
 * together share source, through, key and members. images is a relation: a subquery, or the name of
 * a common table expression.
 */
create or replace function millrace.rows_sql(derivations millrace.derivation[], images text)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_first constant millrace.derivation := rows_sql.derivations[1];
  v_alone constant boolean := cardinality(rows_sql.derivations) = 1;
  v_source_columns constant name[] := array(
    select distinct unnest(d.source_columns) as c from unnest(rows_sql.derivations) d order by c
  );
  v_through_columns constant name[] := array(
    select distinct unnest(d.through_columns) as c from unnest(rows_sql.derivations) d order by c
  );
begin
  return format(
    E'select %s,\n'
    '  %s\n'
    'from %s image\n'
    'cross join lateral (select %s) source%s\n'
    'where (%s\n'
    ')%s',
    (
      select string_agg(format('%s as %I', k.source, k.name), ', ' order by k.position)
      from (
        select millrace.column_sql(k.source) as source, k.name, k.position
        from unnest(v_first.key, v_first.target_key) with ordinality k(source, name, position)
        union all
        select millrace.column_sql(m.source), 'member_' || m.position, 1000 + m.position
        from unnest(v_first.members) with ordinality m(source, position)
      ) k
    ),
    (
      select string_agg(
        case
          when v_alone then format(E'image."image.weight" * (%s\n) as %I', d.value, d.target_column)
          else format(
            E'case when (%s\n) then image."image.weight" * (%s\n) end as %I',
            d.filter, d.value, d.target_column)
        end, E',\n  ' order by d.target_column)
      from unnest(rows_sql.derivations) d
    ),
    rows_sql.images,
    (
      select string_agg(
        format('image.%I as %I', millrace.image_column('source', c.name), c.name), ', ')
      from unnest(v_source_columns) c(name)
    ),
    (
      select format(E'\ncross join lateral (select %s) via',
        string_agg(format('image.%I as %I', millrace.image_column('via', c.name), c.name), ', '))
      from unnest(v_through_columns) c(name)
      having v_first.through is not null
    ),
    case when v_alone then v_first.filter else 'true' end,
    (
      select string_agg(format(' and %s is not null', millrace.column_sql(m.name)), '')
      from unnest(v_first.members || v_first.key) m(name)
    )
  );
end
$$;

comment on function millrace.rows_sql(millrace.derivation[], text) is
  'What derivations make of weighted images, as SQL.';
