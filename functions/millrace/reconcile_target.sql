/*
 * Reconciles a batch of keys of one target and returns what it found: the next `size` keys after
 * one, or those that are listed; of no derivation nothing. The caller holds the engine's lock since
 * an earlier statement, so that the statement's snapshot is newer than every other run; where it is
 * not (repeatable read), the update of the generation fails with a serialization error. So two
 * reconcilers can never both add the same difference.
 */
create or replace function millrace.reconcile_target(
  names text[], repair boolean,
  after text[] default null, size integer default null, listed jsonb default null,
  out results jsonb, out checked bigint, out last_key text[]
)
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
  set jit to off
  set row_security to off
as $$
declare
  -- a drain that counts is a writer already, and stays one
  v_writer constant text := coalesce(current_setting('millrace.writer', true), '');
  v_indexed constant boolean := (
    select bool_and(millrace.is_indexed(d))
    from millrace.derivation d
    where d.name = any (reconcile_target.names)
  );
begin
  if reconcile_target.names = '{}' then
    results := '{}';
    return;
  end if;
  update millrace.generation g set number = g.number + 1;
  perform set_config('millrace.writer', 'engine', true);
  if reconcile_target.listed is null then
    execute millrace.reconcile_sql(
      reconcile_target.names, 'keys', v_indexed, reconcile_target.repair)
      into results, checked, last_key
      -- without indexes each batch would read everything again
      using reconcile_target.after, case when v_indexed then reconcile_target.size end;
  else
    execute millrace.reconcile_sql(
      reconcile_target.names, 'listed', v_indexed, reconcile_target.repair)
      into results, checked, last_key
      using reconcile_target.listed;
  end if;
  perform set_config('millrace.writer', v_writer, true);
end
$$;

comment on function millrace.reconcile_target(text[], boolean, text[], integer, jsonb) is
  'Reconciles a batch of keys of one target: results by derivation, keys checked, last key.';
