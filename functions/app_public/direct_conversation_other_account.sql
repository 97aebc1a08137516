/* By primary key; deleted accounts are seen by nobody. */
create or replace function app_public.direct_conversation_other_account(
  conversation app_public.direct_conversation
)
  returns app_public.account
  language sql
  stable
  parallel safe
  security invoker
begin atomic
  select a from app_public.account a
  where a.id = case (select app_hidden.current_account_id())
    when conversation.first_account_id then conversation.second_account_id
    when conversation.second_account_id then conversation.first_account_id
  end;
end;

comment on function app_public.direct_conversation_other_account(app_public.direct_conversation) is
  'In a conversation of two the one who is not the viewer; null in a group or if deleted.';

grant execute
  on function app_public.direct_conversation_other_account(app_public.direct_conversation)
  to app_anonymous, app_account, app_moderator;
