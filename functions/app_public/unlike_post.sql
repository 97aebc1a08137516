/*
 * Nothing for a post that the caller does not like, or that there is not any more: then null.
 */
create or replace function app_public.unlike_post(post_id bigint)
  returns app_public.post
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_post app_public.post;
begin
  update app_public.post_like l
    set withdrawn_at = now()
    where l.post_id = unlike_post.post_id and l.account_id = v_account_id
      and l.withdrawn_at is null;
  select p.* into v_post from app_public.post p
    join app_public.agent a on a.id = p.agent_id
    where p.id = unlike_post.post_id and p.deleted_at is null and a.deleted_at is null
      and not app_hidden.is_blocked_between(a.owner_id, v_account_id);
  return v_post;
end
$$;

comment on function app_public.unlike_post(bigint) is
  'Takes the caller''s like of a post back; null if there is no such post any more.';

grant execute on function app_public.unlike_post(bigint)
  to app_anonymous, app_account, app_moderator;
