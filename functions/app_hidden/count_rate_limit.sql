/*
 * Counts points of a key and returns what it has used in its period, in one statement: of two hosts
 * that count at once, the second waits for the first and adds to its points. The clock is the
 * database's, whatever the hosts think it is. Points of 0 only look, and begin no period.
 */
create or replace function app_hidden.count_rate_limit(
  key text, points integer, period_ms double precision, anew boolean default false,
  out used integer, out left_ms double precision
)
  language sql
  volatile
  security definer
  set search_path to ''
as $$
with counted as (
  insert into app_private.rate_limit as l (key, points, expires_at)
  select count_rate_limit.key, count_rate_limit.points,
    clock_timestamp() + count_rate_limit.period_ms * interval '1 millisecond'
  where count_rate_limit.points <> 0 or count_rate_limit.anew
  on conflict on constraint rate_limit_pkey do update set
    points = case
      when count_rate_limit.anew or l.expires_at <= clock_timestamp() then excluded.points
      else least(l.points::bigint + excluded.points, 1000000000)::integer
    end,
    expires_at = case
      when count_rate_limit.anew or l.expires_at <= clock_timestamp() then excluded.expires_at
      else l.expires_at
    end
  returning l.points, l.expires_at
),
known as (
  select c.points, c.expires_at from counted c
  union all
  select l.points, l.expires_at
  from app_private.rate_limit l
  where l.key = count_rate_limit.key and l.expires_at > clock_timestamp()
    and count_rate_limit.points = 0 and not count_rate_limit.anew
)
select k.points, greatest(extract(epoch from k.expires_at - clock_timestamp()) * 1000, 0)::float8
from known k
$$;

comment on function app_hidden.count_rate_limit(text, integer, double precision, boolean) is
  'Adds points to what a key has used in its period of so many milliseconds; returns the points '
  'used and the milliseconds left. For the host, which decides what is too much.';

grant execute on function app_hidden.count_rate_limit(text, integer, double precision, boolean)
  to app_anonymous, app_account, app_moderator;
