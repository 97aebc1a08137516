/*
 * The list of the viewer's conversations, the ones with the latest message first, as of this moment
 * and not as of the last recompute. What is written while one pages moves a conversation to the
 * front: it is then on a page that was read already, never on two.
 *
 * The rows of direct_conversation_list_live that are the viewer's, from a view that gives them in
 * this order. Inlined into the query that pages through it.
 */
create or replace function app_public.my_direct_conversations()
  returns setof app_public.direct_conversation_list_live
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select o.* from app_hidden.direct_conversation_order o;
end;

comment on function app_public.my_direct_conversations() is
  E'@behavior +order +backwards -array\n'
  '@listOrder ACTIVE_AT_DESC,CONVERSATION_ID_DESC\n'
  'The conversations of the viewer, the latest first.';

grant execute on function app_public.my_direct_conversations()
  to app_anonymous, app_account, app_moderator;
