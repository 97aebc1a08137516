/*
 * A moment at which a partition begins, from which the others are counted: where the table has
 * partitions of the declared length already, theirs (weeks that begin on Sunday go on to do so);
 * otherwise the calendar's: a Monday that is the first of a January. Months that begin on the 29th
 * or later are no rhythm that could go on.
 */
create or replace function millrace.partition_origin(relation regclass, period interval)
  returns timestamptz
  language sql
  stable
  set search_path to ''
  set timezone to 'UTC'
return coalesce(
  (
    select b.from_time
    from millrace.partition_bounds(partition_origin.relation) b
    where isfinite(b.from_time) and isfinite(b.to_time)
      and b.from_time + partition_origin.period = b.to_time
      and (
        extract(day from partition_origin.period) > 0 or extract(day from b.from_time) <= 28
      )
    order by b.from_time desc
    limit 1
  ),
  '2001-01-01 00:00:00+00'
);

comment on function millrace.partition_origin(regclass, interval) is
  'A moment at which a partition begins: the newest of that length, or the calendar''s.';
