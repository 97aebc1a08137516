/*
 * Who waits for a lock, and for whom: a row for each pair. Blocked by several: several rows. The
 * texts of statements are cut at 500 characters.
 */
create or replace view app_operator.lock_wait as
select
  w.pid as waiting_process,
  w.application_name as waiting_application,
  left(w.query, 500) as waiting_statement,
  extract(epoch from clock_timestamp() - coalesce(l.waitstart, w.query_start))::double precision
    as waiting_seconds,
  l.locktype as lock_kind,
  l.mode as lock_mode,
  case when l.relation is not null and l.database = d.oid then
    coalesce(app_hidden.relation_name(l.relation), l.relation::text) end as table_name,
  b.pid as holding_process,
  b.application_name as holding_application,
  b.state as holding_state,
  left(b.query, 500) as holding_statement,
  extract(epoch from clock_timestamp() - b.xact_start)::double precision
    as holding_transaction_seconds,
  cardinality(pg_catalog.pg_blocking_pids(b.pid)) > 0 as holder_waits_too
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity w on w.pid = l.pid
join pg_catalog.pg_database d on d.datname = current_database()
cross join lateral unnest(pg_catalog.pg_blocking_pids(l.pid)) as blocker (pid)
left join pg_catalog.pg_stat_activity b on b.pid = blocker.pid
where not l.granted
order by waiting_seconds desc, w.pid, b.pid;

comment on view app_operator.lock_wait is
  'Who waits for a lock, and for whom; who waits longest first.';
comment on column app_operator.lock_wait.waiting_process is 'The waiting process.';
comment on column app_operator.lock_wait.waiting_application is 'Its program.';
comment on column app_operator.lock_wait.waiting_statement is 'What it wants to do.';
comment on column app_operator.lock_wait.waiting_seconds is 'How long it has been waiting.';
comment on column app_operator.lock_wait.lock_kind is
  'What is locked: relation, transactionid (a row that it changes), tuple, advisory, …';
comment on column app_operator.lock_wait.lock_mode is 'The lock that it wants.';
comment on column app_operator.lock_wait.table_name is 'The table, where the lock is one.';
comment on column app_operator.lock_wait.holding_process is
  'Who holds it, or stands before it in the queue; 0 for a prepared transaction.';
comment on column app_operator.lock_wait.holding_application is 'Its program.';
comment on column app_operator.lock_wait.holding_state is 'What it is doing.';
comment on column app_operator.lock_wait.holding_statement is 'Its current or last statement.';
comment on column app_operator.lock_wait.holding_transaction_seconds is
  'How long its transaction has been open.';
comment on column app_operator.lock_wait.holder_waits_too is
  'Whether the holder waits itself: look further.';

grant select on app_operator.lock_wait to app_operator;
