-- Policies first: they hold the helper and each other's tables.
drop policy direct_unread_select on app_hidden.direct_unread;
drop policy direct_message_select on app_public.direct_message;
drop policy direct_conversation_select on app_public.direct_conversation;
drop policy direct_member_select on app_public.direct_member;
drop function app_hidden.is_direct_member(bigint);
drop table app_hidden.direct_unread;
drop table app_public.direct_message;
drop table app_public.direct_member;
drop table app_public.direct_conversation;
