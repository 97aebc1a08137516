/* A range of leaderboard_builder_rank_idx. */
create or replace function app_public.builder_leaderboard()
  returns setof app_public.leaderboard_builder
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select l.* from app_public.leaderboard_builder l;
end;

comment on function app_public.builder_leaderboard() is
  E'@behavior +order +backwards -array\n'
  '@listOrder RANK_ASC,ACCOUNT_ID_ASC\n'
  'All builders by rank.';

grant execute on function app_public.builder_leaderboard()
  to app_anonymous, app_account, app_moderator;
