/*
 * The beginning of the period that a moment lies in. Periods are counted from the origin in UTC, so
 * there is no hour that happens twice or never; months are counted as months, whatever their
 * length.
 */
create or replace function millrace.partition_floor(
  at timestamptz, period interval, origin timestamptz
)
  returns timestamptz
  language plpgsql
  stable
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_months constant integer :=
    extract(year from partition_floor.period) * 12 + extract(month from partition_floor.period);
  v_days constant integer := extract(day from partition_floor.period);
  v_month constant timestamptz := date_trunc('month', partition_floor.origin);
  v_shift constant interval := partition_floor.origin - v_month;
  v_shifted constant timestamptz := partition_floor.at - v_shift;
  v_distance numeric;
begin
  if v_months > 0 then
    v_distance := (extract(year from v_shifted) - extract(year from v_month)) * 12
      + extract(month from v_shifted) - extract(month from v_month);
    return v_month + make_interval(months => (floor(v_distance / v_months) * v_months)::integer)
      + v_shift;
  end if;
  v_distance := extract(epoch from partition_floor.at - partition_floor.origin) / 86400;
  return partition_floor.origin
    + make_interval(days => (floor(v_distance / v_days) * v_days)::integer);
end
$$;

comment on function millrace.partition_floor(timestamptz, interval, timestamptz) is
  'The beginning of the period that a moment lies in, in UTC.';
