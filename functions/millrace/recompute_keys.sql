/*
 * Runs the statement that recomputes a batch of keys, or the keys that are listed. What it looks up
 * it looks up key by key; tables that were never analyzed must not tempt the planner to read them
 * whole for each key.
 *
 * Making the statement and planning it takes three times as long as running it for ten keys: it is
 * prepared, once for a session. Its name tells apart whatever it is made from, the functions that
 * make it among it, so a statement that is there is the right one.
 */
create or replace function millrace.recompute_keys(
  derivation millrace.derivation, after text[], size integer, everything boolean,
  listed jsonb default null,
  out keys bigint, out marks bigint, out last_key text[], out changed jsonb
)
  language plpgsql
  volatile
  set search_path to pg_catalog, pg_temp
  set enable_seqscan to off
  set plan_cache_mode to force_generic_plan
as $$
declare
  v_d constant millrace.derivation := recompute_keys.derivation;
  v_writer constant text := coalesce(current_setting('millrace.writer', true), '');
  v_batch constant text := case when recompute_keys.after is null then 'first' else 'next' end;
  v_statement name;
begin
  perform set_config('millrace.writer', 'engine', true);
  if recompute_keys.listed is null then
    v_statement := format('millrace_recompute_%s_%s_%s', v_batch, v_d.id, left(md5(
      row(v_d.name, v_d.edition, v_d.target, v_d.target_key, v_d.columns, v_d.work, v_d.debounce,
        v_d.max_wait,
        array(
          select p.xmin from pg_proc p
          where p.oid in (
            'millrace.recompute_sql'::regproc, 'millrace.fresh_sql'::regproc,
            'millrace.write_sql'::regproc, 'millrace.differs_sql'::regproc)
          order by p.oid
        ))::text), 12));
    if not exists (select from pg_prepared_statements s where s.name = v_statement) then
      execute format('prepare %I(text[], integer, boolean) as %s',
        v_statement, millrace.recompute_sql(v_d, v_batch));
    end if;
    execute format('execute %I(%L, %L, %L)', v_statement,
        recompute_keys.after, recompute_keys.size, recompute_keys.everything)
      into keys, marks, last_key, changed;
  else
    execute millrace.recompute_sql(v_d, 'listed')
      into keys, marks, last_key, changed
      using recompute_keys.listed;
  end if;
  perform set_config('millrace.writer', v_writer, true);
end
$$;

comment on function millrace.recompute_keys(
  millrace.derivation, text[], integer, boolean, jsonb
) is 'Recomputes a batch of keys of a derived relation, or those that are listed.';
