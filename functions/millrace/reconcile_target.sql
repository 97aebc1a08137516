/*
 * Reconciles one batch of keys of one target and returns what it found. The caller holds the engine's lock since an
 * earlier statement, so the statement's snapshot is newer than every drain: two reconcilers can never both add the
 * same difference.
 */
create or replace function millrace.reconcile_target(
  names text[], batch text, repair boolean, after text[], size integer,
  out results jsonb, out checked bigint, out last_key text[]
)
  language plpgsql
  volatile
  set search_path to ''
  set jit to off
as $$
declare
  -- a drain that backfills is a writer already, and stays one
  v_writer constant text := coalesce(current_setting('millrace.writer', true), '');
  v_indexed constant boolean := (
    select bool_and(millrace.is_indexed(d)) from millrace.derivation d where d.name = any (reconcile_target.names)
  );
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'Reconcile needs a read committed transaction' using
      errcode = 'MR022',
      detail = 'Its snapshot must be taken after the engine''s lock, not before.',
      hint = 'Call it outside of a transaction, or in one with the default isolation level.';
  end if;
  perform set_config('millrace.writer', 'engine', true);
  execute millrace.reconcile_sql(reconcile_target.names, reconcile_target.batch,
      v_indexed or reconcile_target.batch = 'new', reconcile_target.repair)
    into results, checked, last_key
    using reconcile_target.after,
      -- without indexes each batch would read everything again
      case when v_indexed then reconcile_target.size end;
  perform set_config('millrace.writer', v_writer, true);
end
$$;

comment on function millrace.reconcile_target(text[], text, boolean, text[], integer) is
  'Reconciles a batch of keys of one target: results by derivation, keys checked, last key.';
