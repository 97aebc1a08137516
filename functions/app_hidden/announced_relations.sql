/*
 * The relations of which every change is announced on channel millrace when it is committed:
 * derived ones, written by the engine alone, that were declared to notify. What hosts keep of them
 * they keep until they hear of a change. Names only, which the API has anyway; runs as its owner
 * because API roles do not see the engine.
 */
create or replace function app_hidden.announced_relations()
  returns text[]
  language sql
  stable
  security definer
  set search_path to ''
as $$
select coalesce(array_agg(distinct n.nspname || '.' || c.relname), '{}')
from millrace.derivation d
join pg_catalog.pg_class c on c.oid = d.target
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where d.kind = 'materialize' and d.notifies
$$;

comment on function app_hidden.announced_relations() is
  'Names of the derived relations of which every change is announced.';

grant execute on function app_hidden.announced_relations() to app_anonymous;
