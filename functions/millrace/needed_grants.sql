/*
 * What the engine's owner must be allowed to do on objects of others, so that a derivation can be
 * kept: read what it reads, write a counter's target, and make its relation afresh in its schema.
 */
create or replace function millrace.needed_grants(derivation millrace.derivation)
  returns table (schema_id oid, relation_id oid, privilege text)
  language sql
  stable
  set search_path to ''
begin atomic
  with reads(relation) as (
    select (needed_grants.derivation).target::oid
    union
    select r.relation::oid from millrace.reading r where r.id = (needed_grants.derivation).id
    union
    select r.relation::oid
    from millrace.definition_reads(
      to_regclass((millrace.relation_names((needed_grants.derivation).name)).definition)) r
    where (needed_grants.derivation).kind = 'materialize'
  )
  select distinct c.relnamespace, 0::oid, 'usage'
  from reads r
  join pg_catalog.pg_class c on c.oid = r.relation
  union all
  select c.relnamespace, 0::oid, 'create'
  from pg_catalog.pg_class c
  where c.oid = (needed_grants.derivation).target
    and (needed_grants.derivation).kind = 'materialize'
  union all
  select 0::oid, c.oid, 'select'
  from reads r
  join pg_catalog.pg_class c on c.oid = r.relation
  union all
  select 0::oid, c.oid, 'update'
  from pg_catalog.pg_class c
  where c.oid = (needed_grants.derivation).target and (needed_grants.derivation).kind = 'counter';
end;

comment on function millrace.needed_grants(millrace.derivation) is
  'The privileges on schemas and relations of others that a derivation needs.';
