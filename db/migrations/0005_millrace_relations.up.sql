/*
 * Derived relations and reactions: the second half of the engine. A derivation is no longer always
 * a counter; what it reads beside a counter's source and through table is in millrace.mapping; when
 * its jobs run is in millrace.run, which only the tick writes, and how they went is in
 * millrace.progress and millrace.failed_key, which only the jobs write: neither waits for the
 * other.
 */
alter table millrace.derivation
  alter column target drop not null,
  alter column target_column drop not null,
  alter column source drop not null,
  alter column filter drop not null,
  alter column value drop not null,
  alter column source_columns drop not null,
  alter column through_columns drop not null,
  alter column guarded drop not null,
  alter column key drop not null,
  add column strategy text,
  add column definition text,
  add column fingerprint text,
  add column columns name[],
  add column kept boolean not null default true,
  add column edition bigint not null default 0,
  add column work regclass,
  add column task text,
  add column debounce interval,
  add column max_wait interval,
  add column min_interval interval,
  add column max_duty double precision,
  add column notifies boolean not null default false,
  add column rolling_after text[],
  add column rolled_at timestamptz,
  drop constraint derivation_kind_check,
  add constraint derivation_kind_check check (kind in ('counter', 'materialize', 'react')),
  add constraint derivation_counter_check check (
    kind <> 'counter' or num_nulls(
      target, target_column, source, key, filter, value, source_columns, through_columns, guarded
    ) = 0
  ),
  add constraint derivation_materialize_check check (
    kind <> 'materialize' or strategy in ('incremental', 'refresh')
      and num_nulls(target, definition, fingerprint, columns, work, debounce, max_wait) = 0
  ),
  add constraint derivation_react_check check (
    kind <> 'react' or num_nulls(work, task, debounce, max_wait, min_interval) = 0
  );
create index derivation_target_idx on millrace.derivation (target);

comment on column millrace.derivation.kind is
  'counter: a maintained count, sum or distinct count; materialize: a relation kept equal to its '
  'definition; react: a task run for each changed key.';
comment on column millrace.derivation.target is
  'The table that holds the derived column, or the derived relation; null for a reaction.';
comment on column millrace.derivation.target_key is
  'The primary key of the target, or the columns of a reaction''s key.';
comment on column millrace.derivation.strategy is
  'incremental: a table kept key by key; refresh: a materialized view.';
comment on column millrace.derivation.definition is 'The view that defines a derived relation.';
comment on column millrace.derivation.fingerprint is
  'Hash of the definition and of the views that it reads, to see whether they changed.';
comment on column millrace.derivation.columns is 'The columns of a derived relation.';
comment on column millrace.derivation.kept is
  'Whether stored rows and waiting keys together are the whole truth; where they are not (first '
  'population, rebuild, pause, failure) live reads compute everything.';
comment on column millrace.derivation.edition is
  'Counts the replacements of what live reads read: to a snapshot that is older than one, and '
  'finds another number, the stored rows say nothing.';
comment on column millrace.derivation.work is
  'The table of keys that wait for a job: appended by drains, taken by the job or the tick.';
comment on column millrace.derivation.task is 'The graphile-worker task of a reaction.';
comment on column millrace.derivation.debounce is
  'How long a key must have been quiet before its job runs.';
comment on column millrace.derivation.max_wait is
  'How long a key waits at most, however often it changes.';
comment on column millrace.derivation.min_interval is
  'The least time between the starts of two runs for the same key.';
comment on column millrace.derivation.max_duty is
  'The largest share of the time that refreshes may take.';
comment on column millrace.derivation.notifies is
  'Whether changed keys are announced on channel millrace.';
comment on column millrace.derivation.rolling_after is
  'The last key that the rolling reconcile has compared; null before the first and after the last.';
comment on column millrace.derivation.rolled_at is 'When the rolling reconcile last came by.';

alter table millrace.run_log
  drop constraint run_log_kind_check,
  add constraint run_log_kind_check check (
    kind in (
      'drain', 'backfill', 'reconcile', 'failure', 'recompute', 'refresh', 'react', 'partition',
      'schedule'
    )
  );
comment on column millrace.run_log.kind is
  'drain, backfill (of a counter or a relation), recompute, refresh, react, reconcile, partition, '
  'schedule or failure.';

alter table millrace.source add column compared name[];
update millrace.source set compared = columns;
alter table millrace.source alter column compared set not null;

comment on column millrace.source.compared is
  'The columns whose change is logged: those of the log, and those that definitions read.';

create table millrace.mapping (
  derivation bigint not null references millrace.derivation (id) on delete cascade,
  source regclass not null references millrace.source (relation),
  columns name[] not null,
  compared name[] not null,
  query text,
  key_columns name[],
  primary key (derivation, source)
);
create index mapping_source_idx on millrace.mapping (source);

comment on table millrace.mapping is
  'How changes of a table concern a derived relation or a reaction: which of its keys they touch.';
comment on column millrace.mapping.derivation is 'The derivation.';
comment on column millrace.mapping.source is 'The table that it reads.';
comment on column millrace.mapping.columns is
  'The columns of changed rows that the query needs; none where a change touches everything.';
comment on column millrace.mapping.compared is 'The columns whose change matters.';
comment on column millrace.mapping.query is
  'The touched keys, as SQL over the relation changed (old and new images of changed rows); null '
  'where a change touches everything.';
comment on column millrace.mapping.key_columns is
  'The columns that hold the key, where the query is no more than that.';

create table millrace.dependency (
  derivation bigint not null references millrace.derivation (id) on delete cascade,
  upstream regclass not null,
  primary key (derivation, upstream)
);

comment on table millrace.dependency is
  'Derived relations that a derivation reads: it runs after them.';
comment on column millrace.dependency.derivation is 'The derivation that reads.';
comment on column millrace.dependency.upstream is 'The derived relation that it reads.';

create table millrace.run (
  derivation bigint not null references millrace.derivation (id) on delete cascade,
  key jsonb not null,
  job_id bigint,
  queued_at timestamptz,
  finished_at timestamptz,
  look_at timestamptz,
  failures integer not null default 0,
  last_error text,
  dead_at timestamptz,
  primary key (derivation, key)
) with (fillfactor = 50);
create index run_job_id_idx on millrace.run (job_id) where job_id is not null;

comment on table millrace.run is
  'The job that was last scheduled for a derived relation (key []), or for a key of a reaction. '
  'Written by the tick only.';
comment on column millrace.run.derivation is 'The derivation.';
comment on column millrace.run.key is 'The key as a JSON array; [] for a whole relation.';
comment on column millrace.run.job_id is 'Its job in graphile_worker; null when none is under way.';
comment on column millrace.run.queued_at is 'When it was scheduled.';
comment on column millrace.run.finished_at is 'When the tick found it finished.';
comment on column millrace.run.look_at is
  'When the tick looks again at what waits: it is not due before.';
comment on column millrace.run.failures is 'Failed attempts in a row.';
comment on column millrace.run.last_error is 'The error of the last of them.';
comment on column millrace.run.dead_at is
  'When the job had used up its attempts; the next change of the key tries again, an hour later.';

create table millrace.progress (
  derivation bigint primary key references millrace.derivation (id) on delete cascade,
  number bigint not null default 0,
  started_at timestamptz,
  finished_at timestamptz,
  taken_rows bigint not null default 0
) with (fillfactor = 50);

comment on table millrace.progress is
  'The runs of a derived relation''s job. Each updates the row, so that one with an old snapshot '
  'fails instead of moving the relation back in time. Written by the jobs only.';
comment on column millrace.progress.derivation is 'The derivation.';
comment on column millrace.progress.number is 'How many runs there were.';
comment on column millrace.progress.started_at is 'When the last one began.';
comment on column millrace.progress.finished_at is 'When it ended.';
comment on column millrace.progress.taken_rows is
  'Rows taken from the work table since it was last vacuumed.';

create table millrace.failed_key (
  derivation bigint not null references millrace.derivation (id) on delete cascade,
  key jsonb not null,
  failures integer not null,
  last_error text not null,
  last_error_at timestamptz not null default clock_timestamp(),
  retry_at timestamptz not null,
  primary key (derivation, key)
);

comment on table millrace.failed_key is
  'Keys of derived relations whose definition raises an error: they wait, the others go on. '
  'Written by the jobs only.';
comment on column millrace.failed_key.derivation is 'The derivation.';
comment on column millrace.failed_key.key is 'The key as a JSON array.';
comment on column millrace.failed_key.failures is 'Failures in a row.';
comment on column millrace.failed_key.last_error is 'The last error.';
comment on column millrace.failed_key.last_error_at is 'When it happened.';
comment on column millrace.failed_key.retry_at is 'When the key is tried again.';

/* Until something is declared, which generates them anew (millrace.refresh_pending_logs). */
do $$
begin
  if to_regprocedure('millrace_log.pending_logs()') is null then
    create function millrace_log.pending_logs()
      returns regclass[]
      language plpgsql
      stable
      set search_path to pg_catalog, pg_temp
    as 'begin return array[]::regclass[]; end';
  end if;
  create function millrace_log.waiting_derivations()
    returns bigint[]
    language plpgsql
    stable
    set search_path to pg_catalog, pg_temp
  as 'begin return array[]::bigint[]; end';
  revoke all on function millrace_log.pending_logs(), millrace_log.waiting_derivations()
    from public;
end
$$;
