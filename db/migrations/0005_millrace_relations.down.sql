drop function millrace_log.waiting_derivations();
drop function if exists millrace_log.pending_logs();
drop table millrace.failed_key, millrace.progress, millrace.run, millrace.dependency,
  millrace.mapping;
alter table millrace.source drop column compared;
delete from millrace.run_log
  where kind not in ('drain', 'backfill', 'reconcile', 'failure');
alter table millrace.run_log
  drop constraint run_log_kind_check,
  add constraint run_log_kind_check check (kind in ('drain', 'backfill', 'reconcile', 'failure'));
comment on column millrace.run_log.kind is 'drain, backfill, reconcile or failure.';
drop index millrace.derivation_target_idx;
alter table millrace.derivation
  drop constraint derivation_react_check,
  drop constraint derivation_materialize_check,
  drop constraint derivation_counter_check,
  drop constraint derivation_kind_check,
  drop column strategy,
  drop column definition,
  drop column fingerprint,
  drop column columns,
  drop column kept,
  drop column edition,
  drop column work,
  drop column task,
  drop column debounce,
  drop column max_wait,
  drop column min_interval,
  drop column max_duty,
  drop column notifies,
  drop column rolling_after,
  drop column rolled_at,
  alter column target set not null,
  alter column target_column set not null,
  alter column source set not null,
  alter column filter set not null,
  alter column value set not null,
  alter column source_columns set not null,
  alter column through_columns set not null,
  alter column guarded set not null,
  alter column key set not null,
  add constraint derivation_kind_check check (kind = 'counter');
comment on column millrace.derivation.kind is 'counter: a maintained count, sum or distinct count.';
comment on column millrace.derivation.target is 'The table that holds the derived column.';
comment on column millrace.derivation.target_key is 'The primary key of the target.';
