/*
 * Takes the account of the request out of a direct conversation, or of all: what it had not read
 * goes, what it wrote stays.
 *
 * The lock for update waits for the account's own messages in flight (see
 * app_private.require_direct_member) and for nobody else's. Runs as its owner, because API roles
 * write none of these tables.
 */
create or replace function app_hidden.leave_direct_conversations(
  conversation_id bigint default null
)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.current_account_id();
  v_conversation_ids constant bigint[] := array(
    select m.conversation_id from app_public.direct_member m
    where m.account_id = v_account_id and m.left_at is null
      and (leave_direct_conversations.conversation_id is null
        or m.conversation_id = leave_direct_conversations.conversation_id)
    order by m.conversation_id
    for update
  );
begin
  update app_public.direct_member m
    set left_at = now()
    where m.account_id = v_account_id and m.conversation_id = any (v_conversation_ids);
  delete from app_hidden.direct_unread u
    where u.account_id = v_account_id and u.conversation_id = any (v_conversation_ids);
end
$$;

comment on function app_hidden.leave_direct_conversations(bigint) is
  'Takes the account of the request out of the direct conversation; out of all if none is given.';

grant execute on function app_hidden.leave_direct_conversations(bigint)
  to app_account, app_moderator;
