/*
 * What each account and address has asked for lately, shared by all hosts: for the requests that
 * are worth a write of their own (signing in, new accounts). Nobody reads or writes it but through
 * app_hidden.count_rate_limit.
 *
 * Unlogged: after a crash the limits begin anew. Writers wait for others of the same key only.
 */
create unlogged table app_private.rate_limit (
  key text primary key,
  points integer not null,
  expires_at timestamptz not null,
  constraint rate_limit_key_check check (length(key) <= 200)
);
create index rate_limit_expires_at_idx on app_private.rate_limit (expires_at);
comment on table app_private.rate_limit is
  'Points that a key (an account or an address, and what it asked for) has used in its period.';
comment on column app_private.rate_limit.points is 'Points used since the period began.';
comment on column app_private.rate_limit.expires_at is 'End of the period: then it begins anew.';

alter table app_private.rate_limit enable row level security;
create policy rate_limit_owner on app_private.rate_limit to app_owner using (true);
