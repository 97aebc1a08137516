/*
 * The list of the viewer's conversations, the ones with the latest message first, as of this moment
 * and not as of the last recompute. What is written while one pages moves a conversation to the
 * front: it is then on a page that was read already, never on two.
 *
 * Inlined into the query that pages through it: a range of direct_conversation_list_active_at_idx
 * with the rows that wait for the recompute sorted in between.
 */
create or replace function app_public.my_direct_conversations()
  returns setof app_public.direct_conversation_list_live
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select l.* from app_public.direct_conversation_list_live l
  where l.account_id = (select app_hidden.current_account_id());
end;

comment on function app_public.my_direct_conversations() is
  E'@behavior +order +backwards -array\n'
  '@listOrder ACTIVE_AT_DESC,CONVERSATION_ID_DESC\n'
  'The conversations of the viewer, the latest first.';

grant execute on function app_public.my_direct_conversations()
  to app_anonymous, app_account, app_moderator;
