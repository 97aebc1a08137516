/*
 * What trends: the logarithm of the activity plus the time of publication, so that ten times the
 * activity makes up for one day. It never changes by the passing of time alone, so nothing is
 * rewritten for it and an index serves the order: the difference of two scores is what a score that
 * decays would give at every moment. What goes below no activity counts as none.
 */
create or replace function app_hidden.trending_score(published_at timestamptz, activity bigint)
  returns double precision
  language sql
  immutable
  parallel safe
  security invoker
return pg_catalog.log(1 + greatest(trending_score.activity, 0)::double precision)
  + extract(epoch from trending_score.published_at - '2020-01-01 00:00:00+00'::timestamptz)
    ::double precision / 86400;

comment on function app_hidden.trending_score(timestamptz, bigint) is
  'The logarithm of the activity plus the days since 2020 of the publication.';

grant execute on function app_hidden.trending_score(timestamptz, bigint)
  to app_anonymous, app_account, app_moderator;
