/*
 * Runs the statement that recomputes a batch of keys, or the keys that are listed. What it looks up
 * it looks up key by key; tables that were never analyzed must not tempt the planner to read them
 * whole for each key.
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
as $$
declare
  v_writer constant text := coalesce(current_setting('millrace.writer', true), '');
begin
  perform set_config('millrace.writer', 'engine', true);
  if recompute_keys.listed is null then
    execute millrace.recompute_sql(recompute_keys.derivation)
      into keys, marks, last_key, changed
      using recompute_keys.after, recompute_keys.size, recompute_keys.everything;
  else
    execute millrace.recompute_sql(recompute_keys.derivation, true)
      into keys, marks, last_key, changed
      using recompute_keys.listed;
  end if;
  perform set_config('millrace.writer', v_writer, true);
end
$$;

comment on function millrace.recompute_keys(
  millrace.derivation, text[], integer, boolean, jsonb
) is 'Recomputes a batch of keys of a derived relation, or those that are listed.';
