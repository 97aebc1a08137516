/*
 * Stores what a derived relation or a reaction reads, and brings the logs of its tables up to it.
 * The caller holds share row exclusive locks on the tables, those that are read no more included.
 */
create or replace function millrace.set_mappings(
  id bigint, mappings millrace.mapping[], upstream regclass[]
)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_before constant regclass[] := array(
    select m.source from millrace.mapping m where m.derivation = set_mappings.id
  );
begin
  delete from millrace.mapping m where m.derivation = set_mappings.id;
  delete from millrace.dependency u where u.derivation = set_mappings.id;
  insert into millrace.mapping (derivation, source, columns, compared, query, key_columns)
    select set_mappings.id, m.source, m.columns, m.compared, m.query, m.key_columns
    from unnest(set_mappings.mappings) m;
  insert into millrace.dependency (derivation, upstream)
    select set_mappings.id, u.relation from unnest(set_mappings.upstream) u(relation);
  perform millrace.forget_plans();
  perform millrace.refresh_log(s.relation)
    from (
      select b.relation from unnest(v_before) b(relation)
      union
      select m.source from millrace.mapping m where m.derivation = set_mappings.id
    ) s;
  perform millrace.refresh_pending_logs();
end
$$;

comment on function millrace.set_mappings(bigint, millrace.mapping[], regclass[]) is
  'Stores what a derived relation or a reaction reads, and refreshes the logs.';
