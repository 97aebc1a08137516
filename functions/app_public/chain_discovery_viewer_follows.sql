/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.chain_discovery_viewer_follows(
  chain_discovery app_public.chain_discovery
)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return exists (
  select from app_public.chain_follow f
  where f.chain_id = chain_discovery.chain_id
    and f.account_id = (select app_hidden.current_account_id()) and f.unfollowed_at is null
);

comment on function app_public.chain_discovery_viewer_follows(app_public.chain_discovery) is
  'Whether the viewer follows the chain.';

grant execute on function app_public.chain_discovery_viewer_follows(app_public.chain_discovery)
  to app_anonymous, app_account, app_moderator;
