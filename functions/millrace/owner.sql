/*
 * The role that owns the engine: with its rights drains run.
 */
create or replace function millrace.owner()
  returns regrole
  language sql
  stable
  set search_path to ''
return (
  select n.nspowner::regrole from pg_catalog.pg_namespace n where n.nspname = 'millrace'
);

comment on function millrace.owner() is 'The role that owns the engine.';
