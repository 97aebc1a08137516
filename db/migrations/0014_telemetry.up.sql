/*
 * Telemetry: what clients report of themselves, many small events that are written once and read by
 * the day.
 *
 * Events lie in monthly partitions, which the upkeep of the engine makes and removes
 * (db/derived/telemetry.sql); what they add up to each day stays. A batch is one insert that waits
 * for nobody: it locks the sender's own account, and writes no row that another sender writes but,
 * with the first event of a kind on a day, the row of that kind and day.
 *
 * API roles do not write these tables; app_public.ingest_telemetry does, with its owner's rights.
 * Only moderators and operators read them.
 *
 * An event has no foreign key to its account: the row of an account stays when it is deleted, the
 * sender's is locked while its events are written, and a partition could not be removed without
 * locking all accounts.
 *
 * What the indexes are for: that of payload for containment (`payload @> …`); the key, which begins
 * with the sender and the id, to find an event that is sent again; those by day, and by kind and
 * day, for lists and counts of some days, newest first; they hold the whole order of a list,
 * because conditions on day and time are taken for rarer than they are, and a sort then for no
 * dearer. day is a column because sums are kept by it: conditions on occurred_at prune partitions,
 * conditions on day find rows in them.
 */
create type app_public.telemetry_refusal_reason as enum (
  'malformed', 'unknown_field', 'bad_id', 'bad_kind', 'bad_time', 'bad_payload', 'id_without_time',
  'payload_too_large', 'too_old', 'in_the_future', 'id_reused', 'too_many_kinds'
);
comment on type app_public.telemetry_refusal_reason is 'Why an event was refused.';

create type app_public.telemetry_refusal as (
  event_index integer,
  reason app_public.telemetry_refusal_reason,
  detail text
);
comment on type app_public.telemetry_refusal is 'An event of a batch that was not stored, and why.';
comment on column app_public.telemetry_refusal.event_index is
  'Its place in the batch, from 0.';
comment on column app_public.telemetry_refusal.reason is 'Why, for programs.';
comment on column app_public.telemetry_refusal.detail is 'Why, for people.';

create type app_public.telemetry_receipt as (
  stored_count integer,
  duplicate_count integer,
  refused_count integer,
  refusals app_public.telemetry_refusal[]
);
comment on type app_public.telemetry_receipt is 'What became of the events of a batch.';
comment on column app_public.telemetry_receipt.stored_count is 'Events that were stored.';
comment on column app_public.telemetry_receipt.duplicate_count is
  'Events that had been stored before, or stood twice in the batch.';
comment on column app_public.telemetry_receipt.refused_count is
  'Events that were not stored; sending them again makes no difference.';
comment on column app_public.telemetry_receipt.refusals is
  'Which these were, in the order of the batch.';

create type app_private.telemetry_reading as (
  event_index integer,
  id uuid,
  is_named boolean,
  kind text,
  occurred_at timestamptz,
  payload jsonb,
  reason app_public.telemetry_refusal_reason,
  detail text
);
comment on type app_private.telemetry_reading is
  'An event as it was read: what it says, or why it is refused.';

create table app_private.telemetry_setting (
  id boolean primary key default true,
  retain interval not null default '12 months',
  max_age interval not null default '7 days',
  max_ahead interval not null default '5 minutes',
  max_kinds bigint not null default 1000,
  constraint telemetry_setting_id_check check (id),
  constraint telemetry_setting_max_age_check check (max_age > '0' and max_age <= retain),
  constraint telemetry_setting_max_ahead_check check (max_ahead between '0' and '1 day'),
  constraint telemetry_setting_max_kinds_check check (max_kinds > 0)
);

comment on table app_private.telemetry_setting is 'What telemetry takes and keeps; one row.';
comment on column app_private.telemetry_setting.id is 'True: there is one row.';
comment on column app_private.telemetry_setting.retain is
  'How long events are kept, by whole months. Change it by app_private.keep_telemetry.';
comment on column app_private.telemetry_setting.max_age is
  'How long ago an event may have occurred that comes in now.';
comment on column app_private.telemetry_setting.max_ahead is
  'How far the clock of a client may be fast.';
comment on column app_private.telemetry_setting.max_kinds is
  'How many kinds of events a day may have: each is a row for each day, for ever.';

insert into app_private.telemetry_setting default values;

create table app_public.telemetry_event (
  account_id bigint not null,
  id uuid not null default gen_random_uuid(),
  occurred_at timestamptz not null,
  day date not null generated always as ((occurred_at at time zone 'UTC')::date) stored,
  kind text not null,
  payload jsonb not null default '{}',
  received_at timestamptz not null default now(),
  primary key (account_id, id, occurred_at),
  constraint telemetry_event_kind_check check (
    char_length(kind) <= 64 and kind ~ '^[a-z][a-z0-9_]*([.:-][a-z0-9_]+)*$'
  ),
  constraint telemetry_event_payload_check check (
    jsonb_typeof(payload) = 'object' and octet_length(payload::text) <= 8192
  )
) partition by range (occurred_at);
create index telemetry_event_day_idx
  on app_public.telemetry_event (day, occurred_at, id, account_id);
create index telemetry_event_kind_day_idx
  on app_public.telemetry_event (kind, day, occurred_at, id, account_id);
create index telemetry_event_payload_idx
  on app_public.telemetry_event using gin (payload jsonb_path_ops);

comment on table app_public.telemetry_event is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  '@foreignKey (account_id) references app_public.account (id)'
  '|@fieldName account|@backwardBehavior -list -connection\n'
  'Something that a client reported.';
comment on column app_public.telemetry_event.account_id is 'The account that reported it.';
comment on column app_public.telemetry_event.id is 'The client''s name for the event, or ours.';
comment on column app_public.telemetry_event.occurred_at is
  'When it occurred, by the client''s clock; where it says nothing, when it came in.';
comment on column app_public.telemetry_event.day is 'The day of that, in UTC.';
comment on column app_public.telemetry_event.kind is
  'What occurred: lower-case words with . : - or _ between them, 64 characters at most.';
comment on column app_public.telemetry_event.payload is
  'What else the client says of it: a JSON object, 8,192 bytes at most.';
comment on column app_public.telemetry_event.received_at is 'When it came in.';

create table app_public.telemetry_day (
  day date not null,
  kind text not null,
  event_count bigint not null default 0,
  account_count bigint not null default 0,
  primary key (day, kind)
);
create index telemetry_day_kind_idx on app_public.telemetry_day (kind, day);

comment on table app_public.telemetry_day is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'What the events of a kind and a day add up to. Stays when the events go.';
comment on column app_public.telemetry_day.day is 'The day, in UTC.';
comment on column app_public.telemetry_day.kind is 'What occurred.';
comment on column app_public.telemetry_day.event_count is 'How often it occurred.';
comment on column app_public.telemetry_day.account_count is
  'How many accounts it was reported by.';

alter table app_private.telemetry_setting enable row level security;
alter table app_public.telemetry_event enable row level security;
alter table app_public.telemetry_day enable row level security;

create policy telemetry_event_select on app_public.telemetry_event for select
  to app_anonymous, app_account, app_moderator
  using ((select app_hidden.is_moderator()));
create policy telemetry_event_select_operator on app_public.telemetry_event for select
  to app_operator
  using (true);
create policy telemetry_day_select on app_public.telemetry_day for select
  to app_anonymous, app_account, app_moderator
  using ((select app_hidden.is_moderator()));
create policy telemetry_day_select_operator on app_public.telemetry_day for select
  to app_operator
  using (true);

grant usage on schema app_public to app_operator;
grant select on app_public.telemetry_event, app_public.telemetry_day
  to app_anonymous, app_account, app_moderator, app_operator;
