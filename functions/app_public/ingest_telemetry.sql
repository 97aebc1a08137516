/*
 * Stores the events of a batch, and says of each one that it does not store why.
 *
 * An event is known by its sender, its id and its time: sent again, it is a duplicate and changes
 * nothing, so a client repeats a batch until it gets a receipt. An id that comes again with another
 * time is refused where the first is seen; of two at once both are stored.
 *
 * Statements stand in this order for their locks: own account (key share), rows of kinds and days
 * that are new, by day and kind, then events, by id. Two batches of one account that hold the same
 * events wait for each other, and no others do. Rows of telemetry_day that are there are not
 * touched: counting is the engine's, from its log.
 *
 * json and not jsonb: what jsonb cannot hold is refused with its event, not with the batch.
 */
create or replace function app_public.ingest_telemetry(events json)
  returns app_public.telemetry_receipt
  language plpgsql
  volatile
  security definer
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_now constant timestamptz := clock_timestamp();
  v_setting app_private.telemetry_setting;
  v_read app_private.telemetry_reading[];
  v_stored integer;
  v_receipt app_public.telemetry_receipt;
begin
  if json_typeof(ingest_telemetry.events) is distinct from 'array' then
    raise exception 'Events come as a list' using
      errcode = 'TM001',
      detail = format('It is of type %s.', coalesce(json_typeof(ingest_telemetry.events), 'null')),
      hint = 'Send [{"kind": "page.view", "occurredAt": "2026-01-31T12:00:00Z", '
        '"payload": {"path": "/"}}].';
  end if;
  if json_array_length(ingest_telemetry.events) > 1000 then
    raise exception 'These are too many events for one call' using
      errcode = 'TM002',
      detail = format('There are %s; 1,000 is the most.',
        json_array_length(ingest_telemetry.events)),
      hint = 'Send them in several calls. None of these was stored.';
  end if;
  select s.* into strict v_setting from app_private.telemetry_setting s;

  v_read := array(
    select r
    from json_array_elements(ingest_telemetry.events) with ordinality e(event, position)
    cross join lateral app_private.read_telemetry_event(e.event, (e.position - 1)::integer,
      v_now - v_setting.max_age, v_now + v_setting.max_ahead) r
    order by e.position
  );
  if exists (select from unnest(v_read) r where r.is_named and r.reason is null) then
    -- The events that are there, by their ids: a few look-ups in the partitions of max_age.
    v_read := array(
      select case when t.occurred_at <> r.occurred_at then row(
          r.event_index, r.id, r.is_named, r.kind, r.occurred_at, null, 'id_reused',
          format('The event of that id occurred at %s.', t.occurred_at)
        )::app_private.telemetry_reading else r end
      from unnest(v_read) r
      left join lateral (
        select t.occurred_at from app_public.telemetry_event t
        where t.account_id = v_account_id and t.id = r.id and r.is_named and r.reason is null
          and t.occurred_at between v_now - v_setting.max_age and v_now + v_setting.max_ahead
        limit 1
      ) t on true
      order by r.event_index
    );
  end if;

  if exists (
    select from unnest(v_read) r
    where r.reason is null and not exists (
      select from app_public.telemetry_day d
      where d.day = r.occurred_at::date and d.kind = r.kind
    )
  ) then
    with wanted as (
      select r.occurred_at::date as day, r.kind, min(r.event_index) as first_index
      from unnest(v_read) r where r.reason is null
      group by 1, 2
    ), ranked as (
      select w.day, w.kind, (
          select count(*) from app_public.telemetry_day d where d.day = w.day
        ) + row_number() over (partition by w.day order by w.first_index) as position
      from wanted w
      where not exists (
        select from app_public.telemetry_day d where d.day = w.day and d.kind = w.kind
      )
    )
    insert into app_public.telemetry_day (day, kind)
      select k.day, k.kind from ranked k
      where k.position <= v_setting.max_kinds
      order by k.day, k.kind
      on conflict do nothing;
    v_read := array(
      select case when r.reason is null and d.day is null then row(
          r.event_index, r.id, r.is_named, r.kind, r.occurred_at, null, 'too_many_kinds',
          format('%s has %s kinds of events already.', r.occurred_at::date, v_setting.max_kinds)
        )::app_private.telemetry_reading else r end
      from unnest(v_read) r
      left join app_public.telemetry_day d on d.day = r.occurred_at::date and d.kind = r.kind
      order by r.event_index
    );
  end if;

  insert into app_public.telemetry_event (account_id, id, occurred_at, kind, payload, received_at)
    select v_account_id, r.id, r.occurred_at, r.kind, r.payload, v_now
    from unnest(v_read) r
    where r.reason is null
    order by r.id, r.occurred_at
    on conflict do nothing;
  get diagnostics v_stored = row_count;
  v_receipt.stored_count := v_stored;
  v_receipt.refusals := array(
    select row(r.event_index, r.reason, r.detail)::app_public.telemetry_refusal
    from unnest(v_read) r
    where r.reason is not null
    order by r.event_index
  );
  v_receipt.refused_count := cardinality(v_receipt.refusals);
  v_receipt.duplicate_count :=
    cardinality(v_read) - v_receipt.stored_count - v_receipt.refused_count;
  return v_receipt;
end
$$;

comment on function app_public.ingest_telemetry(json) is
  'Stores up to 1,000 events, each {id, kind, occurredAt, payload}, and says which it refused; the '
  'rest is stored. With ids a batch can be sent again without being stored twice.';

grant execute on function app_public.ingest_telemetry(json)
  to app_anonymous, app_account, app_moderator;
