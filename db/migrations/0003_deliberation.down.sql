-- Policies first: they hold the guards. Their tables hold the types.
drop policy conversation_moderation_insert on app_public.conversation_moderation;
drop policy conversation_moderation_update on app_public.conversation_moderation;
drop policy opinion_insert on app_public.opinion;
drop policy opinion_vote_insert on app_public.opinion_vote;
drop policy opinion_vote_update on app_public.opinion_vote;
drop function app_hidden.require_votable_opinion(bigint);
drop function app_hidden.require_open_conversation(bigint);
drop table app_public.conversation_moderation;
drop table app_public.opinion_moderation;
drop table app_public.opinion_vote;
drop table app_public.opinion;
drop table app_public.conversation;
drop type app_public.conversation_action;
drop type app_public.moderation_decision;
drop type app_public.moderation_action;
drop type app_public.vote_choice;
