/*
 * The views by which a derived relation is read live, in the order in which a reader comes to them.
 */
create or replace function millrace.live_views(name text)
  returns regclass[]
  language sql
  stable
  set search_path to ''
return (
  select array_remove(
    array[to_regclass(n.live), to_regclass(n.exact), to_regclass(n.dirty)], null)
  from millrace.relation_names(live_views.name) n
);

comment on function millrace.live_views(text) is
  'The views by which a derived relation is read live, the outermost first.';
