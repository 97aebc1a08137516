/*
 * A period has to be one that the calendar repeats: whole days (a week is seven), or whole months
 * that make up a year or whole years. Hours would begin differently in every zone, and a daily
 * upkeep could not keep up with them.
 */
create or replace function millrace.partition_check_period(period interval)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_months constant numeric := extract(year from partition_check_period.period) * 12
    + extract(month from partition_check_period.period);
  v_days constant numeric := extract(day from partition_check_period.period);
  v_problem text;
begin
  v_problem := case
    when partition_check_period.period is null or not isfinite(partition_check_period.period)
      then 'There is none.'
    when partition_check_period.period
      <> make_interval(months => v_months::integer, days => v_days::integer)
      then 'It has hours, minutes or seconds.'
    when v_months < 0 or v_days < 0 or v_months = 0 and v_days = 0 then 'It does not go ahead.'
    when v_months > 0 and v_days > 0 then 'It has months and days.'
    when v_months > 0 and mod(12, v_months) <> 0 and mod(v_months, 12) <> 0
      then 'Its months do not make up a year.'
  end;
  if v_problem is not null then
    raise exception 'Partitions cannot be % long',
      coalesce(partition_check_period.period::text, 'null') using
      errcode = 'MR044',
      detail = v_problem,
      hint = 'Use whole days (''1 day'', ''1 week'') or months that make up a year (''1 month'', '
        '''3 months'', ''1 year'').';
  end if;
end
$$;

comment on function millrace.partition_check_period(interval) is
  'Refuses periods that are not whole days or whole months: MR044.';
