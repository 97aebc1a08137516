/*
 * How an account proves who it is, from which devices, and what is reported to the moderators.
 *
 * An account is found by its addresses: public keys, as did:key. Who signs in asks for a challenge,
 * signs it, and gets a session; the host verifies the signature and makes a token of the session.
 * A challenge is deleted by the statement that consumes it, so of two requests that hold the same
 * one, one gets in.
 *
 * A session ends by its row, at once and in every host: the statement that gives a request its
 * identity asks for the row (app_hidden.enter_session). That is all that a request does with it;
 * when a device was last seen is written when its session is extended, not when it is used.
 *
 * API roles read their own sessions and reports and write none of these tables but through the
 * functions.
 */
create type app_public.report_subject as enum (
  'account', 'agent', 'opinion', 'comment', 'chain_post', 'agent_update', 'post', 'message'
);
create type app_public.report_state as enum ('open', 'reviewing', 'upheld', 'dismissed');
create type app_public.report_decision as enum ('uphold', 'dismiss', 'reopen');
create type app_public.sign_in_challenge as (
  nonce text,
  message text,
  expires_at timestamptz
);

comment on type app_public.report_subject is
  'What is reported. A comment is one on a project, a post one of an agent.';
comment on type app_public.report_state is
  'open until a moderator takes it up, reviewing until one decides: upheld or dismissed.';
comment on type app_public.report_decision is
  'What a moderator decides: the report is right, is not, or has to be looked at again.';
comment on type app_public.sign_in_challenge is 'What to sign in order to sign in.';
comment on column app_public.sign_in_challenge.nonce is 'Names the challenge; good for one use.';
comment on column app_public.sign_in_challenge.message is 'The text to sign, in UTF-8.';
comment on column app_public.sign_in_challenge.expires_at is 'Until when it can be used.';

create table app_private.account_address (
  address text primary key,
  account_id bigint not null references app_public.account (id) on delete cascade,
  created_at timestamptz not null default now(),
  constraint account_address_address_check check (
    address ~ '^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$'
  )
);
create index account_address_account_id_idx on app_private.account_address (account_id);

comment on table app_private.account_address is 'The public keys by which accounts sign in.';
comment on column app_private.account_address.address is
  'The Ed25519 public key as did:key; whoever holds its private key is the account.';
comment on column app_private.account_address.account_id is 'The account.';
comment on column app_private.account_address.created_at is 'When it first signed in.';

create table app_private.nonce (
  nonce text primary key,
  address text not null,
  purpose text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint nonce_purpose_check check (purpose = 'sign_in')
);
create index nonce_expires_at_idx on app_private.nonce (expires_at);

comment on table app_private.nonce is
  'Challenges that wait to be signed: deleted by the statement that uses them, or when expired.';
comment on column app_private.nonce.nonce is 'At random, 128 bits in hexadecimal digits.';
comment on column app_private.nonce.address is 'The only address that may use it.';
comment on column app_private.nonce.purpose is 'The only thing that it may be used for.';
comment on column app_private.nonce.created_at is 'When it was asked for.';
comment on column app_private.nonce.expires_at is 'Until when it can be used.';

create table app_public.session (
  id bigint generated always as identity primary key,
  account_id bigint not null references app_public.account (id) on delete cascade,
  device_name text not null default '',
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  constraint session_device_name_check check (char_length(device_name) <= 80)
);
create index session_account_id_idx on app_public.session (account_id, id);
create index session_expires_at_idx on app_public.session (expires_at) where ended_at is null;
create index session_ended_at_idx on app_public.session (ended_at) where ended_at is not null;

comment on table app_public.session is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'A device on which an account is signed in. Only the account sees it.';
comment on column app_public.session.id is 'Identifies the session.';
comment on column app_public.session.account_id is 'The account.';
comment on column app_public.session.device_name is
  'What its owner calls the device, at most 80 characters.';
comment on column app_public.session.created_at is 'When the device signed in.';
comment on column app_public.session.last_seen_at is
  'When it last signed in or extended the session; requests in between do not count.';
comment on column app_public.session.expires_at is
  'When the session ends unless it is extended before.';
comment on column app_public.session.ended_at is 'When it was signed out; null while it lasts.';
comment on constraint session_account_id_fkey on app_public.session is
  '@backwardBehavior -list -connection';

create table app_private.account_merge (
  guest_id bigint primary key references app_public.account (id) on delete cascade,
  account_id bigint not null references app_public.account (id) on delete cascade,
  merged_at timestamptz not null default now(),
  constraint account_merge_account_id_check check (account_id <> guest_id)
);
create index account_merge_account_id_idx on app_private.account_merge (account_id);

comment on table app_private.account_merge is
  'Which guests became part of which accounts when they signed in.';
comment on column app_private.account_merge.guest_id is 'The guest, deleted by that.';
comment on column app_private.account_merge.account_id is 'The account that has what was theirs.';
comment on column app_private.account_merge.merged_at is 'When.';

/*
 * What is reported is named by its kind and id, without a foreign key: it may be deleted meanwhile,
 * and moderators have to decide all the same. So the text is kept as it was.
 */
create table app_public.report (
  id bigint generated always as identity primary key,
  reporter_id bigint not null references app_public.account (id),
  account_id bigint not null references app_public.account (id),
  subject app_public.report_subject not null,
  subject_id bigint not null,
  content text not null default '',
  reason text not null,
  state app_public.report_state not null default 'open',
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  constraint report_content_check check (char_length(content) <= 5000),
  constraint report_reason_check check (
    char_length(reason) <= 2000 and btrim(reason, E' \t\r\n') <> ''
  ),
  constraint report_decided_at_check check (
    (decided_at is not null) = (state in ('upheld', 'dismissed'))
  )
);
create unique index report_reporter_id_subject_key
  on app_public.report (reporter_id, subject, subject_id) where state in ('open', 'reviewing');
create index report_reporter_id_idx on app_public.report (reporter_id, created_at, id);
create index report_account_id_idx on app_public.report (account_id, created_at, id);
create index report_undecided_idx on app_public.report (created_at, id)
  where state in ('open', 'reviewing');

comment on table app_public.report is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'That somebody draws the moderators'' attention to something. Only the two of them see it.';
comment on column app_public.report.id is 'Identifies the report.';
comment on column app_public.report.reporter_id is 'Who reports.';
comment on column app_public.report.account_id is 'The account that is reported, or wrote it.';
comment on column app_public.report.subject is 'What kind of thing is reported.';
comment on column app_public.report.subject_id is 'The id of the account, opinion, post, ….';
comment on column app_public.report.content is
  'What it said when it was reported: the first 5,000 characters.';
comment on column app_public.report.reason is 'Why, at most 2,000 characters.';
comment on column app_public.report.state is 'What became of it.';
comment on column app_public.report.created_at is E'@isIndexed\nWhen it was reported.';
comment on column app_public.report.decided_at is
  'When it was decided; null until then, and when it was opened again.';
comment on constraint report_reporter_id_fkey on app_public.report is
  E'@fieldName reporter\n@backwardBehavior -list -connection';
comment on constraint report_account_id_fkey on app_public.report is
  E'@fieldName account\n@backwardBehavior -list -connection';

create table app_public.report_event (
  id bigint generated always as identity primary key,
  report_id bigint not null references app_public.report (id) on delete cascade,
  moderator_id bigint not null references app_public.account (id),
  state app_public.report_state not null,
  note text not null default '',
  created_at timestamptz not null default now(),
  constraint report_event_note_check check (char_length(note) <= 2000)
);
create index report_event_report_id_idx on app_public.report_event (report_id, id);
create index report_event_moderator_id_idx on app_public.report_event (moderator_id);

comment on table app_public.report_event is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What moderators did with a report, for moderators.';
comment on column app_public.report_event.id is 'Identifies the step.';
comment on column app_public.report_event.report_id is 'The report.';
comment on column app_public.report_event.moderator_id is 'The moderator.';
comment on column app_public.report_event.state is 'The state that they put it in.';
comment on column app_public.report_event.note is 'Why, at most 2,000 characters.';
comment on column app_public.report_event.created_at is 'When.';
comment on constraint report_event_report_id_fkey on app_public.report_event is
  '@foreignFieldName events';
comment on constraint report_event_moderator_id_fkey on app_public.report_event is
  '@backwardBehavior -list -connection';

/* What the host makes a token of, and what a report is about; between functions only. */
create type app_hidden.signed_in as (
  account_id bigint, session_id bigint, role text, expires_at timestamptz, is_new boolean
);
create type app_hidden.reported_thing as (account_id bigint, content text);

comment on type app_hidden.signed_in is 'A session that was opened or extended, and its role.';
comment on type app_hidden.reported_thing is 'Whose a reported thing is, and what it says.';

/* The session of the request, as enter_session put it there; null for a token without one. */
create function app_hidden.current_session_id()
  returns bigint
  language sql
  stable
  parallel safe
  security invoker
return nullif(pg_catalog.current_setting('app.session_id', true), '')::bigint;

comment on function app_hidden.current_session_id() is
  'The session in which the transaction runs, as the host verified it; null if in none.';

/*
 * In place of set_config in the statement that gives a request its identity: the same arguments and
 * the same effect, after a look at the session's row by its primary key. So a session that has
 * ended ends every request that begins later, in whichever host, without another statement.
 *
 * The one function that the login role may call: it is still itself when the statement begins.
 */
create function app_hidden.enter_session(name text, session_id text, is_local boolean)
  returns text
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
begin
  perform from app_public.session s
    where s.id = enter_session.session_id::bigint and s.ended_at is null
      and s.expires_at > pg_catalog.now();
  if not found then
    raise exception 'You are signed out' using
      errcode = 'AC010',
      detail = pg_catalog.format('session %s has ended', enter_session.session_id),
      hint = 'Sign in again.';
  end if;
  return pg_catalog.set_config(
    'app.session_id', enter_session.session_id, enter_session.is_local);
end
$$;

comment on function app_hidden.enter_session(text, text, boolean) is
  'Puts the transaction in a session; AC010 for one that has ended.';

grant usage on schema app_hidden to app_authenticator;
grant execute on function app_hidden.enter_session(text, text, boolean) to app_authenticator;
grant execute on function app_hidden.current_session_id()
  to app_anonymous, app_account, app_moderator;

alter table app_private.account_address enable row level security;
alter table app_private.nonce enable row level security;
alter table app_private.account_merge enable row level security;
alter table app_public.session enable row level security;
alter table app_public.report enable row level security;
alter table app_public.report_event enable row level security;

create policy session_select on app_public.session for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
create policy report_select on app_public.report for select
  to app_anonymous, app_account, app_moderator
  using (reporter_id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator()));
create policy report_event_select on app_public.report_event for select
  to app_anonymous, app_account, app_moderator
  using ((select app_hidden.is_moderator()));

grant select on app_public.session, app_public.report, app_public.report_event
  to app_anonymous, app_account, app_moderator;

-- A block hides what was written as well: from each of the two what the other writes. Who keeps the
-- place and moderators see it nevertheless: they have to be able to delete it.
alter policy project_comment_select on app_public.project_comment
  using (
    author_id <> all ((select app_hidden.blocked_account_ids())::bigint[])
    or (select app_hidden.is_moderator())
    or (select p.owner_id from app_public.project p where p.id = project_comment.project_id)
      = (select app_hidden.current_account_id())
  );
alter policy chain_post_select on app_public.chain_post
  using (
    author_id <> all ((select app_hidden.blocked_account_ids())::bigint[])
    or (select app_hidden.is_moderator())
    or (select c.owner_id from app_public.chain c where c.id = chain_post.chain_id)
      = (select app_hidden.current_account_id())
  );
