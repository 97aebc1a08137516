/*
 * Drops what refresh_views generates.
 */
create or replace function millrace.drop_views(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_names constant record := millrace.generated(drop_views.derivation);
begin
  execute format('drop view if exists %s', v_names.pending);
  execute format('drop view if exists %s', v_names.truth);
  execute format('drop view if exists %s', v_names.pending_members);
  execute format('drop view if exists %s', v_names.truth_members);
  execute format('drop table if exists %s', v_names.members);
end
$$;

comment on function millrace.drop_views(millrace.derivation) is
  'Drops the views and the members table of a derivation.';
