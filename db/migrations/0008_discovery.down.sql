-- Policies first: they hold the guards. Tables in the reverse order of their foreign keys.
drop policy intro_request_insert on app_public.intro_request;
drop policy chain_post_insert on app_public.chain_post;
drop policy chain_follow_insert on app_public.chain_follow;
drop policy chain_follow_update on app_public.chain_follow;
drop policy chain_project_insert on app_public.chain_project;
drop policy chain_project_update on app_public.chain_project;
drop policy badge_select on app_public.badge;
drop policy badge_insert on app_public.badge;
drop policy badge_update on app_public.badge;
drop policy project_comment_insert on app_public.project_comment;
drop policy project_upvote_insert on app_public.project_upvote;
drop policy project_upvote_update on app_public.project_upvote;
drop function app_hidden.require_introducible(bigint, bigint, bigint, bigint);
drop function app_hidden.require_chain_curator(bigint, bigint);
drop function app_hidden.require_postable(bigint, bigint);
drop function app_hidden.require_chain(bigint);
drop function app_hidden.require_commentable(bigint, bigint);
drop function app_hidden.require_unblocked(bigint);
drop function app_hidden.require_upvotable_project(bigint);
drop function app_hidden.require_project(bigint);
drop function app_hidden.badge_points(app_public.badge_kind);
drop function app_hidden.is_validator();
drop table app_public.intro_request;
drop table app_public.investor;
drop table app_public.chain_post;
drop table app_public.chain_follow;
drop table app_public.chain_project;
drop table app_public.chain;
drop table app_public.badge;
drop table app_public.project_comment;
drop table app_public.project_upvote;
drop table app_public.project;
drop table app_public.profile;
alter table app_public.account
  drop column project_count,
  drop column chain_count,
  drop column comment_count,
  drop column upvote_count,
  drop column badge_count,
  drop column proof_score,
  drop column follower_count;
delete from app_private.account_role where role = 'validator';
alter table app_private.account_role
  drop constraint account_role_role_check,
  add constraint account_role_role_check check (role = 'moderator');
comment on column app_private.account_role.role is
  'moderator: moderates opinions, locks conversations.';
drop type app_public.search_kind;
drop type app_public.intro_state;
drop type app_public.investor_stage;
drop type app_public.badge_kind;
