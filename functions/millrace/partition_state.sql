/*
 * What the catalog says about the partitions of a table at a moment, and what is wrong with that.
 */
create or replace function millrace.partition_state(
  relation regclass, at timestamptz,
  out partitions bigint, out ahead bigint, out oldest timestamptz, out newest timestamptz,
  out default_partition text, out default_rows bigint, out next_at timestamptz, out alarm text
)
  language plpgsql
  stable
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_p millrace.partitioning;
  v_covered timestamptz;
  v_pending text;
  v_writable bigint;
begin
  select p.* into v_p from millrace.partitioning p where p.relation = partition_state.relation;
  next_at := millrace.partition_floor(partition_state.at, v_p.period, v_p.origin) + v_p.period;
  select
      count(*) filter (where not b.is_default),
      min(b.from_time),
      max(b.to_time),
      min(millrace.qualified_name(b.partition)) filter (where b.is_default),
      string_agg(millrace.qualified_name(b.partition), ', ') filter (where b.is_pending),
      least(next_at, min(b.to_time) filter (where not b.is_pending) + v_p.retain),
      (
        select upper(r.range)
        from unnest(range_agg(tstzrange(b.from_time, b.to_time)) filter (where not b.is_default))
          r(range)
        where r.range @> partition_state.at
      )
    into partitions, oldest, newest, default_partition, v_pending, next_at, v_covered
    from millrace.partition_bounds(v_p.relation) b;
  select count(*) into ahead
    from generate_series(2, greatest(v_p.premake, 100) + 1) k
    where millrace.partition_floor(partition_state.at, v_p.period, v_p.origin) + k * v_p.period
      <= v_covered;
  select count(*) into v_writable
    from millrace.partition_bounds(v_p.relation) b
    join pg_catalog.pg_class c on c.oid = b.partition
    where millrace.partition_is_derived(v_p.relation) and exists (
      select from aclexplode(c.relacl) a
      where a.grantee <> c.relowner
        and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    );
  default_rows := millrace.partition_default_rows(v_p.relation);
  alarm := nullif(concat_ws('; ',
    case when v_covered is null then 'there is no partition for rows of now' end,
    case
      when ahead = 0 then 'no partition is ahead'
      when ahead < least(v_p.premake, 2) then format('only %s partition is ahead', ahead)
    end,
    case when default_rows > 0 then format('rows in the default partition: %s', default_rows) end,
    case when v_writable > 0
      then format('partitions that others than the owner may write: %s', v_writable) end,
    case when v_pending is not null then format('the detach of %s is pending', v_pending) end,
    case when v_p.failures > 0 then format('runs that failed: %s', v_p.failures) end), '');
  if exists (
    select from millrace.partition_plan(millrace.qualified_name(v_p.relation), partition_state.at)
  ) then
    next_at := partition_state.at;
  end if;
end
$$;

comment on function millrace.partition_state(regclass, timestamptz) is
  'What there is of a table''s partitions, when the next step is due, and what is wrong.';
