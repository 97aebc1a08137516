/* Exact in every snapshot: a range of agent_feed_item_unread_idx, and what waits beside it. */
create or replace function app_public.agent_unread_count(agent app_public.agent)
  returns bigint
  language sql
  stable
  parallel safe
  security invoker
return (
  select count(*) from app_public.agent_feed_item_live f
  where f.account_id = (select app_hidden.current_account_id()) and f.agent_id = agent.id
    and not f.is_read
);

comment on function app_public.agent_unread_count(app_public.agent) is
  'How many updates of the agent are unread in the viewer''s feed; 0 for who does not follow it.';

grant execute on function app_public.agent_unread_count(app_public.agent)
  to app_anonymous, app_account, app_moderator;
