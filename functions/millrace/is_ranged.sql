/*
 * Whether a batch of keys of the target is one range of what is counted, too: everybody compares
 * the key in the same order. Not so where the type brings an order of its own, whose operators the
 * engine's SQL does not find (citext), or where source and target sort text differently.
 */
create or replace function millrace.is_ranged(derivation millrace.derivation)
  returns boolean
  language sql
  stable
  set search_path to ''
return not exists (
  select
  from unnest((is_ranged.derivation).target_key) k(name)
  join pg_catalog.pg_attribute a
    on a.attrelid = (is_ranged.derivation).target and a.attname = k.name
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attribute v
    on v.attrelid = to_regclass((millrace.generated(is_ranged.derivation)).truth)
    and v.attname = k.name
  where v.attcollation is distinct from a.attcollation or exists (
    select
    from pg_catalog.pg_opclass o
    join pg_catalog.pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
    where o.opcdefault and o.opcintype = coalesce(nullif(t.typbasetype, 0), t.oid)
      and o.opcnamespace <> 'pg_catalog'::regnamespace
  )
);

comment on function millrace.is_ranged(millrace.derivation) is
  'Whether a batch of keys in order is a range of what is counted.';
