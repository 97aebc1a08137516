/*
 * Some keys of a relation at random, as a jsonb array; null, for all, where it is small or has no
 * primary key.
 */
create or replace function millrace.random_keys(relation regclass, size integer)
  returns jsonb
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_key constant name[] := millrace.primary_key(random_keys.relation);
  v_rows real := (
    select c.reltuples from pg_catalog.pg_class c where c.oid = random_keys.relation
  );
  v_keys jsonb;
begin
  if v_key is null or v_rows < random_keys.size * 2 then
    return null;
  end if;
  execute format(
    'select coalesce(jsonb_agg(k.key), ''[]'') from (
       select jsonb_build_array(%s) as key from %s tablesample bernoulli ($1) limit $2) k',
    millrace.list(v_key), millrace.qualified_name(random_keys.relation))
    into v_keys
    using least(random_keys.size * 110 / v_rows, 100), random_keys.size;
  return v_keys;
end
$$;

comment on function millrace.random_keys(regclass, integer) is
  'Some keys of a relation at random, as a jsonb array; null for all of them.';
