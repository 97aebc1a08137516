-- Policies first: they hold the helper and each other's tables.
drop policy post_like_select on app_public.post_like;
drop policy update_read_insert on app_public.update_read;
drop policy update_read_select on app_public.update_read;
drop policy agent_follow_select on app_public.agent_follow;
drop policy post_select on app_public.post;
drop policy agent_update_select on app_public.agent_update;
drop policy agent_select on app_public.agent;
drop function app_hidden.blocked_account_ids();
drop table app_public.post_like;
drop table app_public.post;
drop table app_public.update_read;
drop table app_public.agent_update;
drop table app_public.agent_follow;
drop table app_public.agent;
drop table app_private.reserved_handle;
alter table app_public.account drop column agent_count;
