/*
 * Refuses waits that make no sense.
 */
create or replace function millrace.check_waits(
  debounce interval, max_wait interval, max_duty double precision default null
)
  returns void
  language plpgsql
  immutable
  set search_path to ''
as $$
begin
  if check_waits.debounce is null or check_waits.debounce < interval '0'
    or check_waits.max_wait is null or check_waits.max_wait < check_waits.debounce
  then
    raise exception 'The waits make no sense: debounce %, max_wait %',
      coalesce(check_waits.debounce::text, 'null'), coalesce(check_waits.max_wait::text, 'null')
      using
      errcode = 'MR024',
      detail = 'A key waits until it has been quiet for debounce, and max_wait at most.',
      hint = 'Let debounce be zero or more, and max_wait no less than debounce.';
  end if;
  if check_waits.max_duty <= 0 or check_waits.max_duty > 1 then
    raise exception 'A duty cycle of % makes no sense', check_waits.max_duty using
      errcode = 'MR024',
      detail = 'max_duty is the largest share of the time that refreshes may take.',
      hint = 'Write for example 0.2.';
  end if;
end
$$;

comment on function millrace.check_waits(interval, interval, double precision) is
  'Refuses waits that make no sense: MR024.';
