/*
 * Whether a key waits in the work table of a derivation.
 */
create or replace function millrace.is_waiting(derivation millrace.derivation, key jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_found boolean;
begin
  execute format(
    'select exists (select from %s w where (%s) = (select %s from (select $1 as e) k))',
    millrace.qualified_name((is_waiting.derivation).work),
    millrace.list((is_waiting.derivation).target_key, 'w.%I'),
    millrace.json_key_sql(is_waiting.derivation, 'k.e'))
    into v_found using is_waiting.key;
  return v_found;
end
$$;

comment on function millrace.is_waiting(millrace.derivation, jsonb) is
  'Whether a key waits in the work table of a derivation.';
