/*
 * The name of a relation with its schema, quoted where it has to be. Says nothing that pg_class
 * does not say to everybody.
 */
create or replace function app_hidden.relation_name(relation oid)
  returns text
  language sql
  stable
  strict
  parallel safe
  set search_path to ''
begin atomic
  select format('%I.%I', n.nspname, c.relname)
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation_name.relation;
end;

comment on function app_hidden.relation_name(oid) is
  'The name of a relation with its schema; null for none.';

grant execute on function app_hidden.relation_name(oid) to app_operator;
