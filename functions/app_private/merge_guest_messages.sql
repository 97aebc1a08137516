/*
 * The part of merge_guest that concerns direct messages. A pair has one conversation of two: where
 * the account has one with the same other, or is the other, the guest's becomes a group.
 */
create or replace function app_private.merge_guest_messages(guest_id bigint, account_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_guest constant bigint := merge_guest_messages.guest_id;
  v_account constant bigint := merge_guest_messages.account_id;
  v_conversation_ids constant bigint[] := array(
    select m.conversation_id from app_public.direct_member m where m.account_id = v_guest
  );
begin
  update app_public.direct_conversation c
    set first_account_id = null, second_account_id = null
    from (
      select g.id, g.first_account_id + g.second_account_id - v_guest as other_id
      from app_public.direct_conversation g
      where v_guest in (g.first_account_id, g.second_account_id)
    ) p
    where c.id = p.id and (p.other_id = v_account or exists (
      select from app_public.direct_conversation o
      where o.first_account_id = least(p.other_id, v_account)
        and o.second_account_id = greatest(p.other_id, v_account)
    ));
  update app_public.direct_conversation c
    set first_account_id = least(c.first_account_id + c.second_account_id - v_guest, v_account),
      second_account_id = greatest(c.first_account_id + c.second_account_id - v_guest, v_account)
    where v_guest in (c.first_account_id, c.second_account_id);
  update app_public.direct_conversation c set created_by_id = v_account, request_id = null
    where c.created_by_id = v_guest;

  insert into app_public.direct_member as m
      (conversation_id, account_id, joined_at, left_at, last_read_message_id)
    select g.conversation_id, v_account, g.joined_at, g.left_at, g.last_read_message_id
    from app_public.direct_member g
    where g.account_id = v_guest
    on conflict (conversation_id, account_id) do update
      set left_at = case when excluded.left_at is not null then m.left_at end,
        last_read_message_id =
          greatest(m.last_read_message_id, excluded.last_read_message_id);
  update app_public.direct_message m set sender_id = v_account, request_id = null
    where m.conversation_id = any (v_conversation_ids) and m.sender_id = v_guest;
  insert into app_hidden.direct_unread (account_id, conversation_id, message_id)
    select v_account, u.conversation_id, u.message_id from app_hidden.direct_unread u
    where u.account_id = v_guest
    on conflict (account_id, conversation_id, message_id) do nothing;
  delete from app_hidden.direct_unread u where u.account_id = v_guest;
  -- Nobody has to read what they wrote themselves.
  delete from app_hidden.direct_unread u using app_public.direct_message m
    where u.account_id = v_account and u.conversation_id = any (v_conversation_ids)
      and m.conversation_id = u.conversation_id and m.id = u.message_id
      and m.sender_id = v_account;
  delete from app_public.direct_member m where m.account_id = v_guest;
end
$$;

comment on function app_private.merge_guest_messages(bigint, bigint) is
  'Makes the direct messages of a guest the accounts.';
