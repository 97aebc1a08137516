/*
 * Refuses whoever takes no part in a direct conversation, without telling strangers whether there
 * is one.
 *
 * Key share on the member's row, which the foreign key of a message takes anyway: leaving, which
 * locks the row for update, waits for what the member is just writing, and what comes during it
 * waits, looks again and is refused.
 */
create or replace function app_private.require_direct_member(
  conversation_id bigint, account_id bigint
)
  returns void
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_left_at timestamptz;
begin
  select m.left_at into v_left_at from app_public.direct_member m
    where m.conversation_id = require_direct_member.conversation_id
      and m.account_id = require_direct_member.account_id
    for key share;
  if not found then
    raise exception 'There is no such conversation' using
      errcode = 'MS001',
      detail = pg_catalog.format('conversation %s', require_direct_member.conversation_id),
      hint = 'Only its members see a conversation: reload the list of yours.';
  end if;
  if v_left_at is not null then
    raise exception 'You have left this conversation' using
      errcode = 'MS002',
      detail = pg_catalog.format('conversation %s, left at %s',
        require_direct_member.conversation_id, v_left_at),
      hint = 'Start a conversation of two again to go on with it; a group cannot be joined again.';
  end if;
end
$$;

comment on function app_private.require_direct_member(bigint, bigint) is
  'Nothing for a member of the direct conversation; MS001 or MS002 for anybody else.';
