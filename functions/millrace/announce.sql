/*
 * Announces changed keys of a relation to whoever listens on channel millrace. One message for a
 * whole drain or batch, and never from a writer: a NOTIFY serialises the commits of all who send
 * one. Where the keys do not fit into a message it says that anything may have changed.
 */
create or replace function millrace.announce(relation text, keys jsonb)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_message text := jsonb_build_object(
    'relation', announce.relation, 'keys', announce.keys)::text;
begin
  if announce.keys = 'null' or announce.keys = '[]' then
    return;
  end if;
  if octet_length(v_message) > 7900 or jsonb_array_length(announce.keys) >= 1000 then
    v_message := jsonb_build_object('relation', announce.relation, 'keys', null)::text;
  end if;
  perform pg_notify('millrace', v_message);
end
$$;

comment on function millrace.announce(text, jsonb) is
  'Sends {"relation": "schema.table", "keys": [[key], ...]} on channel millrace; keys are null '
  'where anything may have changed.';
