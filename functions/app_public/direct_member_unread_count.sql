/* A range of the primary key of direct_unread, of which everybody sees their own rows. */
create or replace function app_public.direct_member_unread_count(member app_public.direct_member)
  returns bigint
  language sql
  stable
  parallel safe
  security invoker
return case when member.account_id = (select app_hidden.current_account_id()) then (
  select count(*) from app_hidden.direct_unread u
  where u.account_id = member.account_id and u.conversation_id = member.conversation_id
) end;

comment on function app_public.direct_member_unread_count(app_public.direct_member) is
  'How many messages the viewer has not read in the conversation; null for other members.';

grant execute on function app_public.direct_member_unread_count(app_public.direct_member)
  to app_anonymous, app_account, app_moderator;
