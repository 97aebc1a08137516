/*
 * The ranges of time that have no partition and should have one: as many periods ahead as are
 * declared, as many back where there are older partitions, and all since the last partition before
 * now, so that a pause of the upkeep leaves no gap; but no longer ago than what is retained, nor
 * than 120 periods. (A row of 1970 gets its partition, and not a hundred more.)
 *
 * What exists is never overlapped: only gaps are filled. They are cut where periods begin; a rest
 * in front of the first whole period is given to it when it is less than half a period, so that
 * partitions of odd bounds are followed by one that is a little longer and then by regular ones.
 * The range of a partition whose detach is pending is still taken.
 */
create or replace function millrace.partition_missing(relation regclass, at timestamptz)
  returns table (from_time timestamptz, to_time timestamptz)
  language plpgsql
  stable
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_p millrace.partitioning;
  v_current timestamptz;
  v_since timestamptz;
  v_begin timestamptz;
  v_covered tstzmultirange;
  v_gap tstzrange;
begin
  select p.* into v_p from millrace.partitioning p where p.relation = partition_missing.relation;
  v_current := millrace.partition_floor(partition_missing.at, v_p.period, v_p.origin);
  select
      greatest(
        least(
          v_current,
          max(b.to_time) filter (where b.to_time <= v_current),
          greatest(min(b.from_time), v_current - v_p.premake * v_p.period)),
        millrace.partition_floor(partition_missing.at - v_p.retain, v_p.period, v_p.origin),
        v_current - 120 * v_p.period),
      coalesce(range_agg(tstzrange(b.from_time, b.to_time)), '{}')
    into v_since, v_covered
    from millrace.partition_bounds(partition_missing.relation) b
    where not b.is_default;
  if v_covered = '{}' then
    v_since := v_current;
  end if;

  for v_gap in
    select g.gap
    from unnest(
      tstzmultirange(tstzrange(v_since, v_current + (v_p.premake + 1) * v_p.period)) - v_covered
    ) g(gap)
  loop
    from_time := lower(v_gap);
    while from_time < upper(v_gap) loop
      v_begin := millrace.partition_floor(from_time, v_p.period, v_p.origin);
      to_time := v_begin + v_p.period;
      if to_time - from_time < from_time - v_begin and to_time + v_p.period <= upper(v_gap) then
        to_time := to_time + v_p.period;
      end if;
      to_time := least(to_time, upper(v_gap));
      return next;
      from_time := to_time;
    end loop;
  end loop;
end
$$;

comment on function millrace.partition_missing(regclass, timestamptz) is
  'The ranges of time for which a partition is to be made.';
