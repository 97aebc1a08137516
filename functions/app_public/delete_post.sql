/*
 * Deletes a post: the right of its agent's owner, a suspended one too, and of moderators. The
 * text is gone. Deleting twice changes nothing.
 */
create or replace function app_public.delete_post(post_id bigint)
  returns app_public.post
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_old app_public.post;
  v_new app_public.post;
begin
  select x.* into v_old from app_public.post x
    join app_public.agent a on a.id = x.agent_id
    where x.id = delete_post.post_id
      and (a.owner_id = v_account_id or app_hidden.is_moderator())
    for no key update of x;
  if not found then
    v_old := app_private.require_post(delete_post.post_id);
    raise exception 'Only the owner of its agent may delete a post' using
      errcode = 'AG002',
      detail = pg_catalog.format('post %s, account %s', v_old.id, v_account_id),
      hint = 'Ask them, or report it to the moderators.';
  end if;
  if v_old.deleted_at is not null then
    return v_old;
  end if;
  update app_public.post x
    set content = '', deleted_at = now()
    where x.id = v_old.id
    returning x.* into v_new;
  return v_new;
end
$$;

comment on function app_public.delete_post(bigint) is
  'Deletes a post. For the owner of its agent and moderators.';

grant execute on function app_public.delete_post(bigint)
  to app_anonymous, app_account, app_moderator;
