/*
 * Drops the views by which a derived relation is read live. What others have built on the live view
 * makes Postgres refuse it.
 */
create or replace function millrace.drop_live(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_names constant record := millrace.relation_names(drop_live.name);
begin
  execute format('drop view if exists %s', v_names.live);
  execute format('drop view if exists %s', v_names.exact);
  execute format('drop view if exists %s', v_names.dirty);
end
$$;

comment on function millrace.drop_live(text) is
  'Drops the views by which a derived relation is read live.';
