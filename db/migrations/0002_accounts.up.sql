/*
 * Accounts, and the schemas of the community backend. A schema is a privilege level: app_public is
 * the API, app_hidden is what API roles may use without seeing it in the API, app_private is closed
 * to them.
 *
 * Identity is two settings of the transaction, both put there by the host after it has verified a
 * token: the role, and app.account_id. Rights come from the role, ownership from the account, and
 * being a moderator needs both, so that a revoked moderator is one at once, whatever their token
 * still says.
 *
 * What a policy calls is part of its table's definition, so these helpers are here and not in
 * functions/.
 */
create schema app_public;
create schema app_hidden;
create schema app_private;

comment on schema app_public is 'The API: what a client can read and call.';
comment on schema app_hidden is
  'Helpers that API roles use through policies and functions; not part of the API.';
comment on schema app_private is 'Closed to API roles.';

grant usage on schema app_public, app_hidden to app_anonymous, app_account, app_moderator;

create table app_public.account (
  id bigint generated always as identity primary key,
  display_name text,
  is_guest boolean not null default false,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint account_display_name_check check (
    char_length(display_name) <= 80
    and display_name = btrim(display_name, E' \t\r\n') and display_name <> ''
  )
);

comment on table app_public.account is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'A person who takes part, signed in or as a guest.';
comment on column app_public.account.id is 'Identifies the account.';
comment on column app_public.account.display_name is
  'The name shown to others, at most 80 characters; guests and deleted accounts may have none.';
comment on column app_public.account.is_guest is 'Whether the account was made without signing in.';
comment on column app_public.account.created_at is 'When the account was made.';
comment on column app_public.account.deleted_at is
  'When the account was deleted; then it can do nothing any more.';

create table app_private.account_origin (
  account_id bigint primary key references app_public.account (id) on delete cascade,
  external_id text not null,
  constraint account_origin_external_id_key unique (external_id)
);

comment on table app_private.account_origin is
  'Where an account came from: makes an import repeatable, a provider''s subject an account.';
comment on column app_private.account_origin.account_id is 'The account.';
comment on column app_private.account_origin.external_id is
  'Its name at the origin, prefixed with the origin''s.';

create table app_private.account_role (
  account_id bigint not null references app_public.account (id) on delete cascade,
  role text not null,
  granted_at timestamptz not null default now(),
  primary key (account_id, role),
  constraint account_role_role_check check (role = 'moderator')
);

comment on table app_private.account_role is 'What an account may be beyond an ordinary one.';
comment on column app_private.account_role.account_id is 'The account.';
comment on column app_private.account_role.role is
  'moderator: moderates opinions, locks conversations.';
comment on column app_private.account_role.granted_at is 'When it was granted.';

/* Inlined where it is called: policies and queries see one expression, worked out once a query. */
create function app_hidden.current_account_id()
  returns bigint
  language sql
  stable
  parallel safe
  security invoker
return nullif(pg_catalog.current_setting('app.account_id', true), '')::bigint;

comment on function app_hidden.current_account_id() is
  'The account on whose behalf the transaction runs, as the host verified it; null for visitors.';

/*
 * Runs as its owner because API roles cannot read app_private; the setting role stays the caller's.
 */
create function app_hidden.is_moderator()
  returns boolean
  language sql
  stable
  parallel restricted
  security definer
  set search_path to ''
return pg_catalog.current_setting('role') = 'app_moderator' and exists (
  select from app_private.account_role r
  join app_public.account a on a.id = r.account_id
  where r.account_id = app_hidden.current_account_id() and r.role = 'moderator'
    and a.deleted_at is null
);

comment on function app_hidden.is_moderator() is
  'Whether the transaction runs as app_moderator for an account that is a moderator by now.';

grant execute on function app_hidden.current_account_id(), app_hidden.is_moderator()
  to app_anonymous, app_account, app_moderator;

alter table app_public.account enable row level security;
alter table app_private.account_origin enable row level security;
alter table app_private.account_role enable row level security;

create policy account_select on app_public.account for select
  to app_anonymous, app_account, app_moderator
  using (deleted_at is null or id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator()));

-- Anyone may become a guest; a guest's row carries no right before a host has made a token for it.
create policy account_insert on app_public.account for insert
  to app_anonymous
  with check (is_guest);

-- A deleted account stays deleted: its row can no longer be written.
create policy account_update on app_public.account for update
  to app_account, app_moderator
  using (id = (select app_hidden.current_account_id()) and deleted_at is null)
  with check (id = (select app_hidden.current_account_id()));

grant select on app_public.account to app_anonymous, app_account, app_moderator;
grant insert (display_name, is_guest) on app_public.account to app_anonymous;
grant update (display_name, deleted_at) on app_public.account to app_account, app_moderator;
