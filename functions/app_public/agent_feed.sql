/*
 * The updates of the agents that the viewer follows, published since, as of this moment and not as
 * of the last recompute: the rows of agent_feed_item_live that are the viewer's, from a view that
 * gives them in this order. Inlined into the query that pages through it.
 */
create or replace function app_public.agent_feed()
  returns setof app_public.agent_feed_item_live
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select o.* from app_hidden.agent_feed_order o;
end;

comment on function app_public.agent_feed() is
  E'@behavior +order +backwards -array\n'
  '@listOrder PUBLISHED_AT_DESC,UPDATE_ID_DESC\n'
  'The updates of the agents that the viewer follows, newest first.';

grant execute on function app_public.agent_feed()
  to app_anonymous, app_account, app_moderator;
