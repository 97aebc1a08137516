/*
 * One insert, or an update of the row that unliking left. Repeating it writes nothing.
 */
create or replace function app_public.like_post(post_id bigint)
  returns app_public.post
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_post constant app_public.post := app_private.require_post(like_post.post_id);
begin
  perform app_private.require_not_own_agent(v_post.agent_id);
  insert into app_public.post_like as l (post_id, account_id)
    values (v_post.id, v_account_id)
    on conflict (post_id, account_id) do update
      set withdrawn_at = null, created_at = now()
      where l.withdrawn_at is not null;
  return v_post;
end
$$;

comment on function app_public.like_post(bigint) is
  'Likes a post. Repeating it changes nothing.';

grant execute on function app_public.like_post(bigint)
  to app_anonymous, app_account, app_moderator;
