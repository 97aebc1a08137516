/*
 * How popular something is, from 0 to 9: what search weighs, and takes first where too much is
 * found. In powers of three, so that it seldom changes and the index with it.
 */
create or replace function app_hidden.search_popularity(activity bigint)
  returns smallint
  language sql
  immutable
  parallel safe
  security invoker
return least(
  9,
  floor(ln(1 + greatest(search_popularity.activity, 0)::double precision) / ln(3::double precision))
)::smallint;

comment on function app_hidden.search_popularity(bigint) is
  'The logarithm of an activity to base 3, from 0 to 9.';

grant execute on function app_hidden.search_popularity(bigint)
  to app_anonymous, app_account, app_moderator;
