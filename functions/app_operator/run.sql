/*
 * What ran: drains, recomputes, refreshes, reconciles, partitions, scheduled tasks; newest first.
 */
create or replace view app_operator.run as
select r.id, r.kind, r.name, r.started_at, r.finished_at,
  1000 * extract(epoch from r.finished_at - r.started_at)::double precision as duration_ms,
  r.rows, r.keys, r.note, r.error
from millrace.run_log r
order by r.id desc;

comment on view app_operator.run is
  'What ran: drains, recomputes, refreshes, reconciles, partitions, scheduled '
  'tasks; newest first.';
comment on column app_operator.run.id is 'Identifies the run.';
comment on column app_operator.run.kind is
  'drain, backfill, recompute, refresh, react, reconcile, partition, schedule or failure.';
comment on column app_operator.run.name is 'The derivation, table or task; null where it is all.';
comment on column app_operator.run.started_at is 'When it began.';
comment on column app_operator.run.finished_at is 'When it ended.';
comment on column app_operator.run.duration_ms is 'How long it took.';
comment on column app_operator.run.rows is 'Log rows taken, or rows moved.';
comment on column app_operator.run.keys is 'Keys written or compared.';
comment on column app_operator.run.note is 'What was done, where the kind does not say it.';
comment on column app_operator.run.error is 'Why it failed; null if it did not.';

grant select on app_operator.run to app_operator;
