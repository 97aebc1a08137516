/*
 * The foreign key by which source looks up through: declared once in the schema, so it is not
 * repeated in the declaration. Of several the one that reads the fewest columns wins; two alike are
 * refused as ambiguous.
 */
create or replace function millrace.foreign_key(
  source regclass, through regclass, out source_key name[], out through_key name[]
)
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_keys jsonb;
begin
  select jsonb_agg(jsonb_build_object('source', k.source_columns, 'through', k.through_columns)
      order by cardinality(k.source_columns))
    into v_keys
    from (
      select distinct
        (
          select array_agg(a.attname order by u.position)
          from unnest(c.conkey) with ordinality u(attnum, position)
          join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = u.attnum
        ) as source_columns,
        (
          select array_agg(a.attname order by u.position)
          from unnest(c.confkey) with ordinality u(attnum, position)
          join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = u.attnum
        ) as through_columns
      from pg_catalog.pg_constraint c
      where c.contype = 'f'
        and c.conrelid = foreign_key.source
        and c.confrelid = foreign_key.through
        and c.conparentid = 0
    ) k;
  if v_keys is null then
    raise exception '% has no foreign key to %', foreign_key.source, foreign_key.through using
      errcode = 'MR005',
      detail = 'A through table is found by the foreign key of the source.',
      hint = format('Add a foreign key from %s to %s, or leave through out.',
        foreign_key.source, foreign_key.through);
  end if;
  if jsonb_array_length(v_keys) > 1
    and jsonb_array_length(v_keys -> 0 -> 'source') = jsonb_array_length(v_keys -> 1 -> 'source')
  then
    raise exception '% has several foreign keys to %', foreign_key.source, foreign_key.through using
      errcode = 'MR005',
      detail = format('Candidates: %s.', v_keys),
      hint = 'Carry the columns that key and filter need in the source, and leave through out.';
  end if;
  source_key := array(select jsonb_array_elements_text(v_keys -> 0 -> 'source'));
  through_key := array(select jsonb_array_elements_text(v_keys -> 0 -> 'through'));
end
$$;

comment on function millrace.foreign_key(regclass, regclass) is
  'The foreign key from source to through; MR005 if there is none or several alike.';
