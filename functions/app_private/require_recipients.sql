/*
 * Whom a message of the sender reaches: all others who take part. Refused where there is none, and
 * where one of them and the sender block each other, in whichever direction: a blocked account
 * cannot write, in a group neither. The sender learns of their own blocks only.
 *
 * Locks as require_direct_member; the others' rows are only read.
 */
create or replace function app_private.require_recipients(conversation_id bigint, sender_id bigint)
  returns bigint[]
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_recipients bigint[];
  v_blocked_id bigint;
  v_is_blocked boolean;
begin
  perform app_private.require_direct_member(
    require_recipients.conversation_id, require_recipients.sender_id);
  select pg_catalog.array_agg(m.account_id),
      min(m.account_id) filter (where exists (
        select from app_public.block k
        where k.blocker_id = require_recipients.sender_id and k.blocked_id = m.account_id
      )),
      pg_catalog.bool_or(exists (
        select from app_public.block k
        where k.blocker_id = m.account_id and k.blocked_id = require_recipients.sender_id
      ))
    into v_recipients, v_blocked_id, v_is_blocked
    from app_public.direct_member m
    where m.conversation_id = require_recipients.conversation_id and m.left_at is null
      and m.account_id <> require_recipients.sender_id;
  if v_recipients is null then
    raise exception 'Nobody else takes part in this conversation any more' using
      errcode = 'MS004',
      detail = pg_catalog.format('conversation %s', require_recipients.conversation_id),
      hint = 'The others have left or deleted their accounts. Start another conversation.';
  end if;
  if v_blocked_id is not null then
    raise exception 'You block an account of this conversation' using
      errcode = 'MS003',
      detail = pg_catalog.format('conversation %s, account %s',
        require_recipients.conversation_id, v_blocked_id),
      hint = 'Unblock the account to write to it.';
  end if;
  if v_is_blocked then
    raise exception 'Your messages are not wanted in this conversation' using
      errcode = 'MS003',
      detail = pg_catalog.format('conversation %s', require_recipients.conversation_id),
      hint = 'An account that takes part in it has blocked you.';
  end if;
  return v_recipients;
end
$$;

comment on function app_private.require_recipients(bigint, bigint) is
  'The other members of the direct conversation; MS001 to MS004 for who may not write there.';
