/*
 * Declares that a table, partitioned by range over a time, gets its partitions made ahead and,
 * where retain says so, old ones removed. Run it again as often as you like; other arguments take
 * the place of the old ones, and partitions that exist stay as they are. The current partition and
 * those ahead are made at once; nothing is ever removed here, that is for partition_run.
 *
 * Defaults: everything is kept; a removed partition is detached, not dropped, so that a clock that
 * is wrong or a declaration with a slip costs no rows; there is no default partition, because each
 * new partition would have to lock and read it, and rows that it takes keep their own partition
 * from being made: a row for which there is no partition is better an error at once.
 *
 * On a table in use it waits for other schema changes only, and, where foreign keys or a default
 * partition are there, for moments as partition_locks says.
 */
create or replace function millrace.partition_by_time(
  table_name text,
  column_name text,
  period interval default '1 month',
  premake integer default 3,
  retain interval default null,
  retention text default 'detach',
  default_partition boolean default false,
  keep_derived boolean default false,
  lock_timeout interval default '1 second'
)
  returns text
  language plpgsql
  volatile
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_p millrace.partitioning;
  v_old millrace.partitioning;
  v_problem text;
  v_step record;
begin
  perform millrace.check_declarer();
  v_p.relation := millrace.relation(partition_by_time.table_name);
  v_p.column_name := partition_by_time.column_name;
  v_p.period := partition_by_time.period;
  v_p.premake := partition_by_time.premake;
  v_p.retain := partition_by_time.retain;
  v_p.retention := partition_by_time.retention;
  v_p.default_partition := coalesce(partition_by_time.default_partition, false);
  v_p.keep_derived := coalesce(partition_by_time.keep_derived, false);
  v_p.lock_timeout := partition_by_time.lock_timeout;
  perform millrace.partition_column_type(v_p.relation, v_p.column_name);
  perform millrace.partition_check_period(v_p.period);
  v_problem := case
    when v_p.premake not between 1 and 100 or v_p.premake is null
      then format('premake is %s: it must be from 1 to 100 periods.', v_p.premake)
    when v_p.retain < v_p.period
      then format('retain is %s, shorter than a period of %s.', v_p.retain, v_p.period)
    when v_p.retention not in ('detach', 'drop') or v_p.retention is null
      then format('retention is %L: it must be detach or drop.', v_p.retention)
    when v_p.lock_timeout not between interval '1 millisecond' and interval '1 minute'
      or v_p.lock_timeout is null
      then format('lock_timeout is %s: it must be from a millisecond to a minute.',
        v_p.lock_timeout)
  end;
  if v_problem is not null then
    raise exception 'The partitions of % cannot be kept up like that', v_p.relation using
      errcode = 'MR045',
      detail = v_problem,
      hint = 'For example: period => ''1 month'', premake => 3, retain => ''12 months'', '
        'retention => ''detach''.';
  end if;
  if v_p.keep_derived then
    perform millrace.partition_check_keep(v_p.relation);
  end if;

  select p.* into v_old from millrace.partitioning p where p.relation = v_p.relation;
  -- intervals compare by length, where a month is 30 days; their text tells them apart
  v_p.origin := case when v_old.period::text = v_p.period::text then v_old.origin
    else millrace.partition_origin(v_p.relation, v_p.period) end;
  v_p.module := nullif(current_setting('millrace.module', true), '');
  v_p.declared_at := case
    when row(v_p.column_name, v_p.period::text, v_p.premake, v_p.retain::text, v_p.retention,
        v_p.default_partition, v_p.keep_derived, v_p.lock_timeout)
      is not distinct from row(v_old.column_name, v_old.period::text, v_old.premake,
        v_old.retain::text, v_old.retention, v_old.default_partition, v_old.keep_derived,
        v_old.lock_timeout)
    then v_old.declared_at
    else clock_timestamp()
  end;
  insert into millrace.partitioning as p (
    relation, column_name, period, origin, premake, retain, retention, default_partition,
    keep_derived, lock_timeout, module, declared_at
  ) values (
    v_p.relation, v_p.column_name, v_p.period, v_p.origin, v_p.premake, v_p.retain, v_p.retention,
    v_p.default_partition, v_p.keep_derived, v_p.lock_timeout, v_p.module, v_p.declared_at
  )
    on conflict (relation) do update set
      column_name = excluded.column_name, period = excluded.period, origin = excluded.origin,
      premake = excluded.premake, retain = excluded.retain, retention = excluded.retention,
      default_partition = excluded.default_partition, keep_derived = excluded.keep_derived,
      lock_timeout = excluded.lock_timeout, module = excluded.module,
      stale_declaration = false, declared_at = excluded.declared_at;

  if v_p.keep_derived then
    perform millrace.partition_prepare(v_p.relation);
  end if;
  for v_step in
    select s.* from millrace.partition_plan(millrace.qualified_name(v_p.relation)) s
    where s.action = 'create'
  loop
    perform millrace.partition_create(v_p.relation, v_step.from_time, v_step.to_time);
  end loop;
  return millrace.qualified_name(v_p.relation);
end
$$;

comment on function millrace.partition_by_time(
  text, text, interval, integer, interval, text, boolean, boolean, interval
) is
  'Declares that the partitions of a table, by range over a time, are made premake periods ahead '
  'and, older than retain, detached or dropped by millrace.partition_run. Returns the table''s '
  'name. Errors: MR001, MR002, MR014, MR040 to MR048.';
