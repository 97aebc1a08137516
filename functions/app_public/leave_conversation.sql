/*
 * Takes the caller out of a direct conversation: it leaves their list, and they can neither read
 * nor write there. What they wrote stays. A suspended account may leave. Leaving twice changes
 * nothing.
 *
 * The locks are those of app_hidden.leave_direct_conversations.
 */
create or replace function app_public.leave_conversation(conversation_id bigint)
  returns app_public.direct_member
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_member app_public.direct_member;
begin
  if leave_conversation.conversation_id is not null then
    perform app_hidden.leave_direct_conversations(leave_conversation.conversation_id);
  end if;
  select m.* into v_member from app_public.direct_member m
    where m.conversation_id = leave_conversation.conversation_id and m.account_id = v_account_id;
  if v_member.account_id is null then
    perform app_private.require_direct_member(leave_conversation.conversation_id, v_account_id);
  end if;
  return v_member;
end
$$;

comment on function app_public.leave_conversation(bigint) is
  'Takes the caller out of a conversation. What they wrote stays.';

grant execute on function app_public.leave_conversation(bigint)
  to app_anonymous, app_account, app_moderator;
