/* Periods that are over count as none: their rows only take space. For the hourly clean-up. */
create or replace function app_private.clear_rate_limits()
  returns bigint
  language sql
  volatile
  set search_path to ''
as $$
with gone as (
  delete from app_private.rate_limit l where l.expires_at <= clock_timestamp() returning 1
)
select count(*) from gone
$$;

comment on function app_private.clear_rate_limits() is
  'Removes rate limits whose period is over; returns how many.';
