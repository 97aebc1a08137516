/*
 * Tables whose partitions the engine keeps up: how far ahead they reach and what is wrong.
 */
create or replace view app_operator.partitioning as
select p.table_name, p.period::text as period, p.premake, p.retain::text as retain, p.partitions,
  p.ahead, p.oldest, p.newest, p.default_rows, p.alarm, p.last_run_at, p.failures, p.last_error
from app_private.partitioning_status() p
order by p.table_name;

comment on view app_operator.partitioning is
  'Tables whose partitions are kept up: how far ahead they reach, and what is wrong.';
comment on column app_operator.partitioning.table_name is 'The partitioned table.';
comment on column app_operator.partitioning.period is 'How long a partition is.';
comment on column app_operator.partitioning.premake is 'How many are to be ahead.';
comment on column app_operator.partitioning.retain is 'How long one is kept; null for ever.';
comment on column app_operator.partitioning.partitions is 'How many there are.';
comment on column app_operator.partitioning.ahead is 'How many whole periods ahead they reach.';
comment on column app_operator.partitioning.oldest is 'Where the oldest begins.';
comment on column app_operator.partitioning.newest is 'Where the newest ends.';
comment on column app_operator.partitioning.default_rows is
  'Rows in the default partition, counted up to 10,000: to be none.';
comment on column app_operator.partitioning.alarm is 'What is wrong; null if nothing is.';
comment on column app_operator.partitioning.last_run_at is 'When the upkeep last ran.';
comment on column app_operator.partitioning.failures is
  'Runs in a row that could not do everything.';
comment on column app_operator.partitioning.last_error is 'What the last run could not do.';

grant select on app_operator.partitioning to app_operator;
