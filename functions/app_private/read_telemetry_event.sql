/*
 * Reads one event of a batch: what it says, or why it is refused. Whatever a client sends, this
 * raises nothing: one event that cannot be read (a text with \u0000, the 31st of February) must not
 * refuse the others, or a client that tries again would never get rid of them.
 *
 * Texts and times are read in a subtransaction, because Postgres 15 cannot be asked whether they
 * can be; it writes nothing, so it costs about a microsecond and no transaction id.
 */
create or replace function app_private.read_telemetry_event(
  event json, event_index integer, oldest timestamptz, newest timestamptz
)
  returns app_private.telemetry_reading
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_event jsonb;
  v_time text;
  v_read app_private.telemetry_reading;
begin
  v_read.event_index := read_telemetry_event.event_index;
  begin
    v_event := read_telemetry_event.event::jsonb;
    v_time := v_event ->> 'occurredAt';
    if v_time ~ '^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)$' then
      v_read.occurred_at := v_time::timestamptz;
    end if;
  exception when data_exception or program_limit_exceeded then
    v_read.detail := sqlerrm;
  end;
  v_read.payload := coalesce(nullif(v_event -> 'payload', 'null'), '{}');
  v_read.kind := v_event ->> 'kind';
  v_read.is_named := v_event ->> 'id' is not null;

  if v_event is null or jsonb_typeof(v_event) <> 'object' then
    v_read.reason := 'malformed';
    v_read.detail := coalesce(v_read.detail, 'An event is a JSON object.');
  elsif v_event - '{id,kind,occurredAt,payload}'::text[] <> '{}' then
    v_read.reason := 'unknown_field';
    v_read.detail := format(
      'There is no field %s; an event has id, kind, occurredAt and payload.',
      left((select min(k.name) from jsonb_object_keys(
        v_event - '{id,kind,occurredAt,payload}'::text[]) k(name)), 80));
  elsif v_read.is_named and v_event ->> 'id'
    !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  then
    v_read.reason := 'bad_id';
    v_read.detail := 'An id is a UUID, with hyphens.';
  elsif jsonb_typeof(v_event -> 'kind') is distinct from 'string'
    or char_length(v_read.kind) > 64
    or v_read.kind !~ '^[a-z][a-z0-9_]*([.:-][a-z0-9_]+)*$'
  then
    v_read.reason := 'bad_kind';
    v_read.detail :=
      'A kind is lower-case words with . : - or _ between them, 64 characters at most.';
  elsif v_time is not null and v_read.occurred_at is null then
    v_read.reason := 'bad_time';
    v_read.detail := coalesce(v_read.detail,
      'A time is written as in 2026-01-31T23:59:59.999Z, with Z or an offset.');
  elsif v_time is null and v_read.is_named then
    v_read.reason := 'id_without_time';
    v_read.detail :=
      'An event with an id says when it occurred, so that it is the same when it is sent again.';
  elsif v_read.occurred_at < read_telemetry_event.oldest then
    v_read.reason := 'too_old';
    v_read.detail := format('It occurred before %s.', read_telemetry_event.oldest);
  elsif v_read.occurred_at > read_telemetry_event.newest then
    v_read.reason := 'in_the_future';
    v_read.detail := format('It would occur after %s.', read_telemetry_event.newest);
  elsif jsonb_typeof(v_read.payload) <> 'object' then
    v_read.reason := 'bad_payload';
    v_read.detail := 'A payload is a JSON object.';
  elsif octet_length(v_read.payload::text) > 8192 then
    v_read.reason := 'payload_too_large';
    v_read.detail := format('It has %s bytes; it may have 8,192.',
      octet_length(v_read.payload::text));
  else
    v_read.id := coalesce((v_event ->> 'id')::uuid, gen_random_uuid());
    v_read.occurred_at := coalesce(v_read.occurred_at, clock_timestamp());
  end if;
  return v_read;
end
$$;

comment on function app_private.read_telemetry_event(json, integer, timestamptz, timestamptz) is
  'What an event of a batch says, or why it is refused.';
