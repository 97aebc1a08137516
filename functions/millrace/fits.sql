/*
 * Whether the relation, as it is, can take the rows of a definition: it is of the right kind, has
 * the same key, and no column has another type. A materialized view fits only its own definition.
 */
create or replace function millrace.fits(derivation millrace.derivation, definition regclass)
  returns boolean
  language sql
  stable
  set search_path to ''
return case (
    select c.relkind from pg_catalog.pg_class c where c.oid = (fits.derivation).target
  )
  when 'm' then (fits.derivation).strategy = 'refresh'
    and to_regclass((millrace.relation_names((fits.derivation).name)).next_definition) is null
  when 'r' then (fits.derivation).strategy = 'incremental'
    and millrace.primary_key((fits.derivation).target) = (fits.derivation).target_key
    and not exists (
      select from unnest((fits.derivation).columns) c(name)
      where millrace.column_type((fits.derivation).target, c.name)
        <> millrace.column_type(fits.definition, c.name)
    )
  else false
end;

comment on function millrace.fits(millrace.derivation, regclass) is
  'Whether a relation can take the rows of a definition in place.';
