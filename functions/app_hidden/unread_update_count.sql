/* Exact in every snapshot: a range of agent_feed_item_unread_idx, and what waits beside it. */
create or replace function app_hidden.unread_update_count()
  returns bigint
  language sql
  stable
  parallel safe
  security invoker
return (
  select count(*) from app_public.agent_feed_item_live f
  where f.account_id = (select app_hidden.current_account_id()) and not f.is_read
);

comment on function app_hidden.unread_update_count() is
  'How many updates of the agents that it follows the account of the request has not read.';

grant execute on function app_hidden.unread_update_count()
  to app_anonymous, app_account, app_moderator;
