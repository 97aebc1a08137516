/*
 * Marks the messages of a direct conversation as read, up to the given one or all.
 *
 * Removes the caller's rows of app_hidden.direct_unread that it sees: a message that commits later
 * stays unread, even where its id is smaller. The position for the others to see only ever moves
 * forward.
 *
 * The caller's membership is locked first, so that two of their windows take turns; that conflicts
 * with nobody's messages, not with their own either. Repeating it writes nothing. A suspended
 * account may read.
 */
create or replace function app_public.mark_read(
  conversation_id bigint, message_id bigint default null
)
  returns app_public.direct_member
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_message_id bigint;
  v_member app_public.direct_member;
begin
  perform app_private.require_direct_member(mark_read.conversation_id, v_account_id);
  select max(m.id) into v_message_id from app_public.direct_message m
    where m.conversation_id = mark_read.conversation_id
      and m.id <= coalesce(mark_read.message_id, 9223372036854775807);
  select m.* into v_member from app_public.direct_member m
    where m.conversation_id = mark_read.conversation_id and m.account_id = v_account_id;
  if not exists (
    select from app_hidden.direct_unread u
    where u.account_id = v_account_id and u.conversation_id = mark_read.conversation_id
      and u.message_id <= v_message_id
  ) and coalesce(v_member.last_read_message_id, 0) >= coalesce(v_message_id, 0) then
    return v_member;
  end if;
  update app_public.direct_member m
    set last_read_message_id = greatest(m.last_read_message_id, v_message_id)
    where m.conversation_id = mark_read.conversation_id and m.account_id = v_account_id
    returning m.* into v_member;
  delete from app_hidden.direct_unread u
    where u.account_id = v_account_id and u.conversation_id = mark_read.conversation_id
      and u.message_id <= v_message_id;
  return v_member;
end
$$;

comment on function app_public.mark_read(bigint, bigint) is
  'Marks the messages up to the given one as read; all of the conversation if none is given.';

grant execute on function app_public.mark_read(bigint, bigint)
  to app_anonymous, app_account, app_moderator;
