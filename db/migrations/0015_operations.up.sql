/*
 * Operations: what hosts measure, alert rules and what became of them, and the operator's API.
 *
 * Schema app_operator is what the operator endpoint shows, to the role of the same name alone. What
 * is measured lies in app_private; the views of app_operator over it are in functions/.
 */
create schema app_operator;
comment on schema app_operator is
  'The operator''s API: what the server does and what is wrong with it. Role app_operator only.';
grant usage on schema app_operator to app_operator;

create table app_operator.alert_rule (
  name text primary key,
  measure text not null,
  description text not null,
  unit text not null,
  comparison text not null default 'above',
  threshold double precision not null,
  clear_threshold double precision,
  fire_after smallint not null default 2,
  clear_after smallint not null default 3,
  is_enabled boolean not null default true,
  value double precision,
  detail text,
  breaches integer not null default 0,
  clears integer not null default 0,
  evaluated_at timestamptz,
  constraint alert_rule_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint alert_rule_comparison_check check (comparison in ('above', 'below')),
  constraint alert_rule_fire_after_check check (fire_after between 1 and 1440),
  constraint alert_rule_clear_after_check check (clear_after between 1 and 1440)
);

comment on table app_operator.alert_rule is
  'What is watched, and from which value on somebody is told. Evaluated every minute.';
comment on column app_operator.alert_rule.name is 'Identifies the rule.';
comment on column app_operator.alert_rule.measure is
  'What is measured: one of the measures of app_private.measure_alerts().';
comment on column app_operator.alert_rule.description is 'What a firing means, for who is woken.';
comment on column app_operator.alert_rule.unit is 'The unit of value and thresholds.';
comment on column app_operator.alert_rule.comparison is
  'above: values over the threshold are a breach; below: values under it.';
comment on column app_operator.alert_rule.threshold is 'The value that is just not a breach.';
comment on column app_operator.alert_rule.clear_threshold is
  'What the value must reach for the alert to be over; null: the threshold itself. Between the two '
  'nothing changes, so that a value that wavers neither fires twice nor resolves.';
comment on column app_operator.alert_rule.fire_after is
  'Evaluations in a row (minutes) in breach before it fires.';
comment on column app_operator.alert_rule.clear_after is
  'Evaluations in a row (minutes) that are clear before it is resolved.';
comment on column app_operator.alert_rule.is_enabled is 'Whether it is evaluated.';
comment on column app_operator.alert_rule.value is
  'The last value; null where there was nothing to measure, which is no breach.';
comment on column app_operator.alert_rule.detail is 'What the last value came from.';
comment on column app_operator.alert_rule.breaches is 'Evaluations in breach in a row.';
comment on column app_operator.alert_rule.clears is 'Clear evaluations in a row.';
comment on column app_operator.alert_rule.evaluated_at is 'When it was last evaluated.';

create table app_operator.alert (
  id bigint generated always as identity primary key,
  rule_name text not null references app_operator.alert_rule (name) on delete cascade,
  fired_at timestamptz not null,
  resolved_at timestamptz,
  value double precision not null,
  worst_value double precision not null,
  last_value double precision,
  detail text,
  constraint alert_resolved_at_check check (resolved_at >= fired_at)
);
create index alert_rule_name_idx on app_operator.alert (rule_name, fired_at);
create index alert_fired_at_idx on app_operator.alert (fired_at);
create unique index alert_rule_name_key on app_operator.alert (rule_name)
  where resolved_at is null;

comment on table app_operator.alert is
  'Alerts that fire and that were resolved: one row for each time, at most one of a rule firing.';
comment on column app_operator.alert.id is 'Identifies the alert.';
comment on column app_operator.alert.rule_name is 'The rule.';
comment on column app_operator.alert.fired_at is 'Since when it fires.';
comment on column app_operator.alert.resolved_at is 'When it was over; null while it fires.';
comment on column app_operator.alert.value is 'The value that made it fire.';
comment on column app_operator.alert.worst_value is 'The worst value while it fired.';
comment on column app_operator.alert.last_value is 'The last value while it fired.';
comment on column app_operator.alert.detail is 'What the worst value came from.';

create table app_operator.webhook (
  id bigint generated always as identity primary key,
  url text not null,
  secret text not null,
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  constraint webhook_url_check check (
    url ~ '^https?://[^[:space:]]+$' and char_length(url) <= 2000),
  constraint webhook_url_key unique (url)
);

comment on table app_operator.webhook is 'Who is told that an alert fires or is resolved.';
comment on column app_operator.webhook.id is 'Identifies the webhook.';
comment on column app_operator.webhook.url is 'Where a delivery is sent, by POST.';
comment on column app_operator.webhook.secret is
  'Signs deliveries (HMAC-SHA256); shown once, when the webhook is added.';
comment on column app_operator.webhook.is_enabled is 'Whether it is told.';
comment on column app_operator.webhook.created_at is 'When it was added.';

create table app_operator.alert_delivery (
  id bigint generated always as identity primary key,
  webhook_id bigint not null references app_operator.webhook (id) on delete cascade,
  alert_id bigint not null references app_operator.alert (id) on delete cascade,
  event text not null,
  state text not null default 'pending',
  attempts integer not null default 0,
  last_status integer,
  last_error text,
  created_at timestamptz not null default clock_timestamp(),
  attempted_at timestamptz,
  delivered_at timestamptz,
  constraint alert_delivery_event_check check (event in ('firing', 'resolved')),
  constraint alert_delivery_state_check check (state in ('pending', 'delivered', 'dead')),
  constraint alert_delivery_webhook_id_key unique (webhook_id, alert_id, event)
);
create index alert_delivery_alert_id_idx on app_operator.alert_delivery (alert_id);

comment on table app_operator.alert_delivery is
  'What was sent to whom, or is to be, or could not be.';
comment on column app_operator.alert_delivery.id is
  'Identifies the delivery; sent with it, so that a receiver can tell a repetition.';
comment on column app_operator.alert_delivery.webhook_id is 'Who is told.';
comment on column app_operator.alert_delivery.alert_id is 'Of which alert.';
comment on column app_operator.alert_delivery.event is 'firing or resolved.';
comment on column app_operator.alert_delivery.state is
  'pending: not delivered yet; delivered; dead: all attempts are used up.';
comment on column app_operator.alert_delivery.attempts is 'How often it was sent.';
comment on column app_operator.alert_delivery.last_status is
  'The HTTP status of the last answer; null where there was none.';
comment on column app_operator.alert_delivery.last_error is 'Why the last attempt failed.';
comment on column app_operator.alert_delivery.created_at is 'When the alert fired or was resolved.';
comment on column app_operator.alert_delivery.attempted_at is 'When it was last sent.';
comment on column app_operator.alert_delivery.delivered_at is 'When it was accepted.';

alter table app_operator.alert_rule enable row level security;
alter table app_operator.alert enable row level security;
alter table app_operator.webhook enable row level security;
alter table app_operator.alert_delivery enable row level security;

create policy alert_rule_select on app_operator.alert_rule for select to app_operator using (true);
create policy alert_select on app_operator.alert for select to app_operator using (true);
create policy webhook_select on app_operator.webhook for select to app_operator using (true);
create policy alert_delivery_select on app_operator.alert_delivery for select
  to app_operator using (true);

grant select on app_operator.alert_rule, app_operator.alert, app_operator.alert_delivery
  to app_operator;
grant select (id, url, is_enabled, created_at) on app_operator.webhook to app_operator;

create type app_operator.statement_statistics as (
  statement_id text,
  statement text,
  role_name text,
  calls bigint,
  total_ms double precision,
  mean_ms double precision,
  max_ms double precision,
  rows bigint,
  cache_hit_percent double precision
);
create type app_operator.job as (
  queue text,
  id text,
  task text,
  state text,
  attempts integer,
  max_attempts integer,
  run_at timestamptz,
  locked_at timestamptz,
  last_error text
);
create type app_operator.queued_job as (
  id bigint,
  task text,
  tables text[],
  reasons text[]
);
create type app_operator.new_webhook as (
  id bigint,
  url text,
  secret text
);
create type app_operator.server as (
  version text,
  started_at timestamptz,
  is_standby boolean,
  connections integer,
  max_connections integer,
  database_size bigint,
  cache_hit_percent double precision,
  commits bigint,
  rollbacks bigint,
  deadlocks bigint,
  temporary_bytes bigint,
  transaction_id_age bigint,
  oldest_transaction_seconds double precision,
  statistics_since timestamptz,
  sees_everything boolean,
  has_statement_statistics boolean,
  missing text[]
);

comment on type app_operator.statement_statistics is
  'What pg_stat_statements knows of a statement.';
comment on column app_operator.statement_statistics.statement_id is 'Postgres'' hash of it.';
comment on column app_operator.statement_statistics.statement is 'Its text, without constants.';
comment on column app_operator.statement_statistics.role_name is 'Who ran it.';
comment on column app_operator.statement_statistics.calls is 'How often it ran.';
comment on column app_operator.statement_statistics.total_ms is 'Its duration in all.';
comment on column app_operator.statement_statistics.mean_ms is 'Its mean duration.';
comment on column app_operator.statement_statistics.max_ms is 'Its longest duration.';
comment on column app_operator.statement_statistics.rows is 'Rows returned or written in all.';
comment on column app_operator.statement_statistics.cache_hit_percent is
  'Blocks found in memory, of those that it read.';
comment on type app_operator.job is 'A background job.';
comment on column app_operator.job.queue is 'graphile_worker or pgboss.';
comment on column app_operator.job.id is 'Its id in the queue.';
comment on column app_operator.job.task is 'What it does.';
comment on column app_operator.job.state is
  'ready, scheduled, running, failing (to be tried again) or dead (all attempts used up).';
comment on column app_operator.job.attempts is 'Attempts so far.';
comment on column app_operator.job.max_attempts is 'Attempts that it has.';
comment on column app_operator.job.run_at is 'When it is due.';
comment on column app_operator.job.locked_at is 'Since when it runs.';
comment on column app_operator.job.last_error is 'Why the last attempt failed.';
comment on type app_operator.queued_job is 'A job that was asked for.';
comment on column app_operator.queued_job.id is
  'Its id; null when one of the kind is just being taken up, or nothing is to be done.';
comment on column app_operator.queued_job.task is 'What it does.';
comment on column app_operator.queued_job.tables is 'The tables that it works on.';
comment on column app_operator.queued_job.reasons is 'Why, table by table.';
comment on type app_operator.new_webhook is 'A webhook and its secret, which is shown this once.';
comment on column app_operator.new_webhook.id is 'Identifies the webhook.';
comment on column app_operator.new_webhook.url is 'Where deliveries are sent.';
comment on column app_operator.new_webhook.secret is
  'The key of the HMAC-SHA256 in the header x-millrace-signature.';
comment on type app_operator.server is 'The database server at a glance.';
comment on column app_operator.server.version is 'Version of Postgres.';
comment on column app_operator.server.started_at is 'When the server started.';
comment on column app_operator.server.is_standby is 'Whether it follows another server.';
comment on column app_operator.server.connections is 'Connections to all databases.';
comment on column app_operator.server.max_connections is 'How many there may be.';
comment on column app_operator.server.database_size is 'Bytes of this database.';
comment on column app_operator.server.cache_hit_percent is
  'Blocks found in memory, of those that were read.';
comment on column app_operator.server.commits is 'Transactions committed.';
comment on column app_operator.server.rollbacks is 'Transactions rolled back.';
comment on column app_operator.server.deadlocks is 'Deadlocks.';
comment on column app_operator.server.temporary_bytes is 'Bytes written to temporary files.';
comment on column app_operator.server.transaction_id_age is
  'Transactions since the oldest id that is not frozen, of all databases.';
comment on column app_operator.server.oldest_transaction_seconds is
  'How long the oldest open transaction of this database has been open.';
comment on column app_operator.server.statistics_since is 'When the statistics were last reset.';
comment on column app_operator.server.sees_everything is
  'Whether sessions and statements of other roles are shown whole.';
comment on column app_operator.server.has_statement_statistics is
  'Whether pg_stat_statements can be read.';
comment on column app_operator.server.missing is
  'What keeps these answers from being whole, and the statement that grants it.';

-- What hosts measure: a row for each host and minute, and what was slowest in it.
create table app_private.host_sample (
  host text not null,
  minute timestamptz not null,
  requests integer not null,
  errors integer not null,
  request_p95_ms real,
  statements integer not null,
  statement_p95_ms real,
  statement_max_ms real,
  pool_size integer not null,
  pool_used_max integer not null,
  pool_acquisitions integer not null,
  pool_waits integer not null,
  pool_wait_max_ms real not null,
  cache_hits bigint,
  cache_misses bigint,
  cache_entries integer,
  event_loop_p99_ms real,
  memory_bytes bigint,
  primary key (host, minute),
  constraint host_sample_host_check check (char_length(host) between 1 and 200)
);
create index host_sample_minute_idx on app_private.host_sample (minute);

comment on table app_private.host_sample is
  'What each host of the API measured in each minute; kept for two days.';
comment on column app_private.host_sample.host is 'Name and process of the host.';
comment on column app_private.host_sample.minute is 'The minute, by the database''s clock.';
comment on column app_private.host_sample.requests is 'GraphQL requests answered.';
comment on column app_private.host_sample.errors is
  'Requests that failed by no fault of the client: status 5xx, masked errors, timeouts.';
comment on column app_private.host_sample.request_p95_ms is 'Their duration, 95th percentile.';
comment on column app_private.host_sample.statements is 'Statements answered by the database.';
comment on column app_private.host_sample.statement_p95_ms is
  'Their duration as the host sees it, 95th percentile.';
comment on column app_private.host_sample.statement_max_ms is 'The longest.';
comment on column app_private.host_sample.pool_size is 'Connections that its pools may have.';
comment on column app_private.host_sample.pool_used_max is 'The most that were in use at once.';
comment on column app_private.host_sample.pool_acquisitions is 'How often one was asked for.';
comment on column app_private.host_sample.pool_waits is
  'How often all of a pool were in use, so that the request had to wait.';
comment on column app_private.host_sample.pool_wait_max_ms is 'The longest wait.';
comment on column app_private.host_sample.cache_hits is 'Responses from the cache.';
comment on column app_private.host_sample.cache_misses is 'Responses that were made.';
comment on column app_private.host_sample.cache_entries is 'Responses in the cache.';
comment on column app_private.host_sample.event_loop_p99_ms is
  'How late the host''s timers were, 99th percentile: above some 100 ms it is overloaded.';
comment on column app_private.host_sample.memory_bytes is 'Its resident memory.';

create table app_private.operation_sample (
  host text not null,
  minute timestamptz not null,
  operation text not null,
  requests integer not null,
  errors integer not null,
  total_ms double precision not null,
  p95_ms real not null,
  max_ms real not null,
  primary key (host, minute, operation),
  foreign key (host, minute) references app_private.host_sample (host, minute) on delete cascade,
  constraint operation_sample_operation_check check (char_length(operation) between 1 and 100)
);

comment on table app_private.operation_sample is
  'The GraphQL operations that took most of a host''s time in a minute.';
comment on column app_private.operation_sample.host is 'The host.';
comment on column app_private.operation_sample.minute is 'The minute.';
comment on column app_private.operation_sample.operation is
  'The operation''s name; (unnamed) without one, (other) beyond the first hundred.';
comment on column app_private.operation_sample.requests is 'Requests.';
comment on column app_private.operation_sample.errors is 'Those that failed.';
comment on column app_private.operation_sample.total_ms is 'Their duration in all.';
comment on column app_private.operation_sample.p95_ms is 'Their duration, 95th percentile.';
comment on column app_private.operation_sample.max_ms is 'The longest.';

create table app_private.slow_statement (
  statement_hash text not null,
  plan_hash text not null,
  statement text not null,
  plan text,
  operation text,
  calls bigint not null,
  total_ms double precision not null,
  max_ms double precision not null,
  first_seen_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  primary key (statement_hash, plan_hash)
);
create index slow_statement_last_seen_at_idx on app_private.slow_statement (last_seen_at);

comment on table app_private.slow_statement is
  'Statements of the API that took over 50 ms, by plan; those not seen for 14 days are forgotten.';
comment on column app_private.slow_statement.statement_hash is 'Hash of the text.';
comment on column app_private.slow_statement.plan_hash is
  'Hash of the shape of its plan (nodes, relations, indexes; no costs), as explain showed it right '
  'after the slow call; empty where explain was not tried or not possible.';
comment on column app_private.slow_statement.statement is
  'The text, with placeholders: values are never kept.';
comment on column app_private.slow_statement.plan is 'The shape of the plan.';
comment on column app_private.slow_statement.operation is 'An operation that sent it.';
comment on column app_private.slow_statement.calls is 'Calls over 50 ms.';
comment on column app_private.slow_statement.total_ms is 'Their duration in all.';
comment on column app_private.slow_statement.max_ms is 'The longest.';
comment on column app_private.slow_statement.first_seen_at is 'When it was first slow.';
comment on column app_private.slow_statement.last_seen_at is 'When it was last slow.';

create table app_private.database_sample (
  sampled_at timestamptz primary key,
  blocks_hit bigint not null,
  blocks_read bigint not null,
  commits bigint not null,
  rollbacks bigint not null,
  deadlocks bigint not null,
  temporary_bytes bigint not null,
  connections integer not null
);

comment on table app_private.database_sample is
  'Counters of pg_stat_database each minute: differences are rates. Kept for two days.';
comment on column app_private.database_sample.sampled_at is 'When they were read.';
comment on column app_private.database_sample.blocks_hit is 'Blocks found in memory.';
comment on column app_private.database_sample.blocks_read is 'Blocks read from the system.';
comment on column app_private.database_sample.commits is 'Transactions committed.';
comment on column app_private.database_sample.rollbacks is 'Transactions rolled back.';
comment on column app_private.database_sample.deadlocks is 'Deadlocks.';
comment on column app_private.database_sample.temporary_bytes is 'Bytes of temporary files.';
comment on column app_private.database_sample.connections is 'Connections to the database.';

create table app_private.index_use (
  index_id oid primary key,
  scans bigint not null,
  since timestamptz not null default clock_timestamp(),
  used_at timestamptz
);

comment on table app_private.index_use is
  'Since when each index is watched, and when a scan of it was last noticed: what Postgres counts '
  'is lost with its statistics.';
comment on column app_private.index_use.index_id is 'The index.';
comment on column app_private.index_use.scans is 'pg_stat_user_indexes.idx_scan at the last look.';
comment on column app_private.index_use.since is 'When it was first seen.';
comment on column app_private.index_use.used_at is 'The last look that found more scans.';

create table app_private.security_finding (
  object text not null,
  problem text not null,
  found_at timestamptz not null default clock_timestamp(),
  primary key (object, problem)
);

comment on table app_private.security_finding is
  'What the hourly review of the rights in this database found; gone when it is put right.';
comment on column app_private.security_finding.object is 'What is concerned.';
comment on column app_private.security_finding.problem is 'What is wrong with it.';
comment on column app_private.security_finding.found_at is 'When it was first found.';

alter table app_private.host_sample enable row level security;
alter table app_private.operation_sample enable row level security;
alter table app_private.slow_statement enable row level security;
alter table app_private.database_sample enable row level security;
alter table app_private.index_use enable row level security;
alter table app_private.security_finding enable row level security;

insert into app_operator.alert_rule
  (name, measure, description, unit, comparison, threshold, clear_threshold, fire_after,
    clear_after)
values
  ('statement_time', 'statement_p95', 'Statements of the API are slow: see slowStatements.',
    'ms, 95th percentile of 5 minutes', 'above', 100, 80, 3, 5),
  ('error_rate', 'error_rate', 'Requests fail by no fault of their clients: see the hosts'' logs.',
    '% of the requests of 5 minutes, at least 20 of them', 'above', 10, 5, 1, 3),
  ('cache_hit', 'cache_hit', 'Too much is read from disk: memory is short, or an index is missing.',
    '% of the blocks of 5 minutes, at least 10,000 of them', 'below', 60, 70, 3, 5),
  ('pool_exhausted', 'pool_wait', 'Requests wait for a connection: a pool is too small, or '
    'something holds its connections.',
    '% of the requests for one, in 2 minutes, at least 20 of them', 'above', 10, 5, 2, 3),
  ('staleness', 'staleness', 'Stored derived values are far behind (exact reads are not): is a '
    'ticker running, does a job fail?', 's', 'above', 60, 30, 2, 2),
  ('drift', 'drift', 'Reconcile found derived values that were wrong: see drifts for the cause.',
    'keys in the last hour', 'above', 0, null, 1, 1),
  ('dead_jobs', 'dead_jobs', 'Jobs have used up their attempts: see deadJobs.', 'jobs', 'above', 0,
    null, 1, 1),
  ('default_partition_rows', 'default_partition_rows', 'Rows lie in a default partition: call '
    'millrace.partition_move_default, and see why the partition was missing.', 'rows', 'above', 0,
    null, 1, 1),
  ('partitions_missing', 'partitions_ahead', 'Partitions do not reach far enough ahead: see '
    'partitions for the error of the upkeep.', 'periods ahead', 'below', 2, null, 1, 1),
  ('failed_derivations', 'failed_derivations', 'The SQL of a derivation raises an error; exact '
    'reads recount meanwhile. See derivations.', 'derivations and keys', 'above', 0, null, 2, 1),
  ('old_transaction', 'transaction_age', 'A transaction is open for long: vacuum and drains keep '
    'what it may still see.', 's', 'above', 300, 60, 1, 1),
  ('transaction_ids', 'transaction_id_age', 'Transaction ids are not frozen: at two thousand '
    'million the server stops writing.', 'transactions', 'above', 500e6, 400e6, 1, 5),
  ('security', 'security_findings', 'Rights in the database are not what the migrations made: see '
    'securityFindings.', 'findings', 'above', 0, null, 1, 1);
