/*
 * Starts a direct conversation: with one other account the conversation of these two, of which
 * there is never a second one, or with several or with a title a group. Two who had left their
 * conversation are in it again, with all that was written.
 *
 * The other accounts are locked (key share, by id), as require_account locks the caller's: none of
 * them is brought into a conversation while it is being deleted. Two who start with each other at
 * the same moment take turns at the unique index and get the same conversation. Repeating it writes
 * nothing; for a group that needs the request id of the first time.
 */
create or replace function app_public.start_conversation(
  account_ids bigint[], title text default '', request_id uuid default null
)
  returns app_public.direct_conversation
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_title constant text :=
    app_hidden.require_text(start_conversation.title, 'title', 0, 120, 'MS005');
  v_other_ids constant bigint[] := array(
    select distinct t.id from pg_catalog.unnest(start_conversation.account_ids) t (id)
    where t.id <> v_account_id
    order by t.id
  );
  v_is_group constant boolean := cardinality(v_other_ids) > 1 or v_title <> '';
  v_member_ids constant bigint[] := v_other_ids || v_account_id;
  v_found_ids bigint[];
  v_blocked_id bigint;
  v_is_blocked boolean;
  v_conversation app_public.direct_conversation;
begin
  if cardinality(v_other_ids) not between 1 and 49 then
    raise exception 'A conversation has between 2 and 50 members' using
      errcode = 'MS007',
      detail = pg_catalog.format('%s others', cardinality(v_other_ids)),
      hint = 'Name between 1 and 49 accounts beside your own.';
  end if;
  v_found_ids := array(
    select a.id from app_public.account a
    where a.id = any (v_other_ids) and a.deleted_at is null
    order by a.id
    for key share
  );
  if v_found_ids <> v_other_ids then
    raise exception 'There is no such account' using
      errcode = 'MS008',
      detail = pg_catalog.format('accounts %s', pg_catalog.array_to_string(array(
        select t.id from pg_catalog.unnest(v_other_ids) t (id)
        where t.id <> all (v_found_ids)
      ), ', ')),
      hint = 'It may have been deleted: leave it out.';
  end if;
  select min(t.id) filter (where exists (
        select from app_public.block k where k.blocker_id = v_account_id and k.blocked_id = t.id
      )),
      pg_catalog.bool_or(exists (
        select from app_public.block k where k.blocker_id = t.id and k.blocked_id = v_account_id
      ))
    into v_blocked_id, v_is_blocked
    from pg_catalog.unnest(v_other_ids) t (id);
  if v_blocked_id is not null then
    raise exception 'You block this account' using
      errcode = 'MS003',
      detail = pg_catalog.format('account %s', v_blocked_id),
      hint = 'Unblock the account to write to it.';
  end if;
  if v_is_blocked then
    raise exception 'This conversation is not wanted' using
      errcode = 'MS003',
      detail = pg_catalog.format('accounts %s', pg_catalog.array_to_string(v_other_ids, ', ')),
      hint = 'An account that you want to write to has blocked you.';
  end if;

  if v_is_group then
    insert into app_public.direct_conversation as c (created_by_id, title, request_id)
      values (v_account_id, v_title, start_conversation.request_id)
      on conflict (created_by_id, request_id) where request_id is not null do nothing
      returning c.* into v_conversation;
  else
    insert into app_public.direct_conversation as c
        (created_by_id, first_account_id, second_account_id)
      select v_account_id, least(v_account_id, v_other_ids[1]),
        greatest(v_account_id, v_other_ids[1])
      where not exists (
        select from app_public.direct_conversation e
        where e.first_account_id = least(v_account_id, v_other_ids[1])
          and e.second_account_id = greatest(v_account_id, v_other_ids[1])
      )
      on conflict (first_account_id, second_account_id) do nothing
      returning c.* into v_conversation;
  end if;
  if found then
    insert into app_public.direct_member (conversation_id, account_id)
      select v_conversation.id, t.id from pg_catalog.unnest(v_member_ids) t (id)
      order by t.id;
    return v_conversation;
  end if;

  if v_is_group then
    select c.* into v_conversation from app_public.direct_conversation c
      where c.created_by_id = v_account_id and c.request_id = start_conversation.request_id;
    if v_conversation.title <> v_title or exists (
      select from (
        select m.account_id from app_public.direct_member m
        where m.conversation_id = v_conversation.id
      ) m
      full join pg_catalog.unnest(v_member_ids) t (id) on t.id = m.account_id
      where t.id is null or m.account_id is null
    ) then
      raise exception 'This request id belongs to another group' using
        errcode = 'MS006',
        detail = pg_catalog.format('conversation %s', v_conversation.id),
        hint = 'Take a new one for every group, and the same one only to repeat a request.';
    end if;
    return v_conversation;
  end if;
  select c.* into v_conversation from app_public.direct_conversation c
    where c.first_account_id = least(v_account_id, v_other_ids[1])
      and c.second_account_id = greatest(v_account_id, v_other_ids[1]);
  perform from app_public.direct_member m
    where m.conversation_id = v_conversation.id and m.left_at is not null
    order by m.account_id
    for no key update;
  update app_public.direct_member m
    set left_at = null
    where m.conversation_id = v_conversation.id and m.left_at is not null;
  return v_conversation;
end
$$;

comment on function app_public.start_conversation(bigint[], text, uuid) is
  'Starts a conversation with one account, or returns the one there is; with several, a group.';

grant execute on function app_public.start_conversation(bigint[], text, uuid)
  to app_anonymous, app_account, app_moderator;
