/*
 * Gathers statistics of a derived relation that was just filled.
 */
create or replace function millrace.analyze_relation(id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
as $$
declare
  v_target text;
begin
  select millrace.qualified_name(d.target) into v_target
    from millrace.derivation d where d.id = analyze_relation.id and d.kept;
  if v_target is not null then
    execute format('analyze %s', v_target);
  end if;
end
$$;

comment on function millrace.analyze_relation(bigint) is
  'Gathers statistics of a derived relation.';
