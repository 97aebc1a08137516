/*
 * Who wants nothing to do with whom, and whom the moderators have suspended.
 *
 * A block is one account's own affair and stays private: its rows are seen by the blocker alone,
 * and app_hidden.is_blocked_between, which asks in both directions, is what guards and policies of
 * other modules use. It takes no lock: what passes the guard while a block is about to commit
 * counts as done before it.
 *
 * A suspended account can read and take back its own; app_hidden.require_active_account refuses
 * everything else. That it is suspended stands on the account's row, which every writing call reads
 * and locks anyway, so the check costs no look-up; setting it is an update that conflicts with no
 * key share: a suspension waits for nobody's call and nobody's call for it. app_public.
 * account_suspension is the history: who, when, why, and who withdrew it. Both are written by
 * suspend_account and unsuspend_account alone.
 */
alter table app_public.account add column suspended_at timestamptz;

comment on column app_public.account.suspended_at is
  'Since when moderators keep it suspended: it can read, but write nothing; null if not suspended.';

create table app_public.account_suspension (
  id bigint generated always as identity primary key,
  account_id bigint not null references app_public.account (id) on delete cascade,
  moderator_id bigint not null references app_public.account (id),
  reason text not null default '',
  created_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  withdrawn_by_id bigint references app_public.account (id),
  constraint account_suspension_reason_check check (char_length(reason) <= 2000),
  constraint account_suspension_withdrawn_check check (
    withdrawn_by_id is null or withdrawn_at is not null
  )
);
create index account_suspension_account_id_idx on app_public.account_suspension (account_id, id);
create unique index account_suspension_account_id_key
  on app_public.account_suspension (account_id) where withdrawn_at is null;
create index account_suspension_moderator_id_idx on app_public.account_suspension (moderator_id);
create index account_suspension_withdrawn_by_id_idx
  on app_public.account_suspension (withdrawn_by_id);

comment on table app_public.account_suspension is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'Who suspended an account, when and why, and who withdrew it: for moderators and the account.';
comment on column app_public.account_suspension.id is 'Identifies the decision.';
comment on column app_public.account_suspension.account_id is 'The account.';
comment on column app_public.account_suspension.moderator_id is 'The moderator who decided.';
comment on column app_public.account_suspension.reason is 'Why, at most 2,000 characters.';
comment on column app_public.account_suspension.created_at is 'When it was decided.';
comment on column app_public.account_suspension.withdrawn_at is
  'When it was withdrawn; null while it stands.';
comment on column app_public.account_suspension.withdrawn_by_id is
  'The moderator who withdrew it.';
comment on constraint account_suspension_account_id_fkey on app_public.account_suspension is
  '@foreignFieldName suspensions';
comment on constraint account_suspension_moderator_id_fkey on app_public.account_suspension is
  '@backwardBehavior -list -connection';
comment on constraint account_suspension_withdrawn_by_id_fkey on app_public.account_suspension is
  E'@fieldName withdrawnBy\n@backwardBehavior -list -connection';

create table app_public.block (
  blocker_id bigint not null references app_public.account (id) on delete cascade,
  blocked_id bigint not null references app_public.account (id) on delete cascade,
  created_at timestamptz not null default now(),
  primary key (blocker_id, blocked_id),
  constraint block_blocked_id_check check (blocked_id <> blocker_id)
);
create index block_blocked_id_idx on app_public.block (blocked_id);

comment on table app_public.block is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'That an account wants nothing to do with another. Only the one who blocks sees it.';
comment on column app_public.block.blocker_id is 'The account that blocks.';
comment on column app_public.block.blocked_id is 'The account that is blocked.';
comment on column app_public.block.created_at is 'When it was blocked.';
comment on constraint block_blocker_id_fkey on app_public.block is
  E'@fieldName blocker\n@foreignFieldName blocks';
comment on constraint block_blocked_id_fkey on app_public.block is
  E'@fieldName blocked\n@backwardBehavior -list -connection';

/*
 * Runs as its owner: neither side sees whether the other blocks. Two look-ups in the primary key.
 */
create function app_hidden.is_blocked_between(a bigint, b bigint)
  returns boolean
  language sql
  stable
  parallel safe
  security definer
  set search_path to ''
return exists (
  select from app_public.block k
  where k.blocker_id = is_blocked_between.a and k.blocked_id = is_blocked_between.b
) or exists (
  select from app_public.block k
  where k.blocker_id = is_blocked_between.b and k.blocked_id = is_blocked_between.a
);

comment on function app_hidden.is_blocked_between(bigint, bigint) is
  'Whether one of two accounts blocks the other, whichever; false where one is null.';

grant execute on function app_hidden.is_blocked_between(bigint, bigint)
  to app_anonymous, app_account, app_moderator;

/* As before, but a suspended moderator is none. */
create or replace function app_hidden.is_moderator()
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
    and a.deleted_at is null and a.suspended_at is null
);

alter table app_public.account_suspension enable row level security;
alter table app_public.block enable row level security;

create policy account_suspension_select on app_public.account_suspension for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator()));

create policy block_select on app_public.block for select
  to app_anonymous, app_account, app_moderator
  using (blocker_id = (select app_hidden.current_account_id()));
create policy block_insert on app_public.block for insert
  to app_account, app_moderator
  with check (blocker_id = (select app_hidden.current_account_id()));
create policy block_delete on app_public.block for delete
  to app_account, app_moderator
  using (blocker_id = (select app_hidden.current_account_id()));

grant select on app_public.account_suspension, app_public.block
  to app_anonymous, app_account, app_moderator;
grant insert (blocker_id, blocked_id), delete on app_public.block to app_account, app_moderator;
