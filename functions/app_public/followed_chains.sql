/* A range of chain_follow_account_id_idx with one look at each chain. */
create or replace function app_public.followed_chains()
  returns setof app_public.chain_follow
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select f.* from app_public.chain_follow f
  join app_public.chain c on c.id = f.chain_id
  where f.account_id = (select app_hidden.current_account_id()) and f.unfollowed_at is null
    and c.deleted_at is null;
end;

comment on function app_public.followed_chains() is
  E'@behavior +order +backwards -array\n'
  '@listOrder FOLLOWED_AT_DESC,CHAIN_ID_DESC,ACCOUNT_ID_DESC\n'
  'The chains that the viewer follows, last followed first.';

grant execute on function app_public.followed_chains()
  to app_anonymous, app_account, app_moderator;
