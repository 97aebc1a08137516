/*
 * Notes that the definition raises an error for the next key that is due: it waits, and the batch
 * goes on behind it.
 */
create or replace function millrace.fail_key(
  derivation millrace.derivation, after text[], everything boolean, error text
)
  returns jsonb
  language plpgsql
  volatile
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_d constant millrace.derivation := fail_key.derivation;
  v_key jsonb;
  v_last text[];
begin
  -- the same choice as in the batch, whose text it is
  execute format(
    E'with %s\nselect jsonb_build_array(%s), array[%s] from batch',
    substring(
      millrace.recompute_sql(v_d, case when fail_key.after is null then 'first' else 'next' end)
      from '^with (batch as materialized \(.*?\n\)),\ntaken'),
    millrace.list(v_d.target_key),
    millrace.list(v_d.target_key, '%I::text'))
    into v_key, v_last
    using fail_key.after, 1, fail_key.everything;
  if v_key is not null then
    insert into millrace.failed_key as f (derivation, key, failures, last_error, retry_at)
      values (v_d.id, v_key, 1, fail_key.error, clock_timestamp() + interval '1 second')
      on conflict (derivation, key) do update set
        failures = f.failures + 1,
        last_error = excluded.last_error,
        last_error_at = clock_timestamp(),
        retry_at = clock_timestamp()
          + least(interval '1 hour', interval '1 second' * 2 ^ least(f.failures, 12));
    insert into millrace.run_log (kind, name, started_at, keys, error)
      values ('failure', v_d.name, clock_timestamp(), 1,
        format('key %s: %s', v_key, fail_key.error));
  end if;
  return jsonb_build_object('keys', 0, 'marks', 0, 'more', v_key is not null,
    'after', to_jsonb(v_last));
end
$$;

comment on function millrace.fail_key(millrace.derivation, text[], boolean, text) is
  'Notes that the definition raises an error for the next key that is due.';
