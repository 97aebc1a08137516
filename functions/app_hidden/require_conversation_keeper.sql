/*
 * The caller's account, for what the owner of a conversation and moderators may do with it. Takes
 * no lock on the conversation: its owner never changes.
 */
create or replace function app_hidden.require_conversation_keeper(conversation_id bigint)
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_conversation app_public.conversation;
begin
  select c.* into v_conversation from app_public.conversation c
    where c.id = require_conversation_keeper.conversation_id and c.deleted_at is null;
  if v_conversation.id is null then
    raise exception 'There is no such conversation' using
      errcode = 'DL001',
      detail = pg_catalog.format('conversation %s', require_conversation_keeper.conversation_id),
      hint = 'It may have been deleted: reload the list of conversations.';
  end if;
  if v_conversation.owner_id <> v_account_id and not app_hidden.is_moderator() then
    raise exception 'Only the owner of this conversation and moderators may do this' using
      errcode = 'DL008',
      detail = pg_catalog.format('conversation %s, account %s', v_conversation.id, v_account_id),
      hint = 'Ask the owner of the conversation or a moderator.';
  end if;
  return v_account_id;
end
$$;

comment on function app_hidden.require_conversation_keeper(bigint) is
  'The owner or moderator who writes; AC001 to AC005, DL001 or DL008 for anybody else.';

grant execute on function app_hidden.require_conversation_keeper(bigint)
  to app_anonymous, app_account, app_moderator;
