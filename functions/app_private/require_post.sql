/*
 * A post that the account of the request may read: as require_agent says of its agent.
 */
create or replace function app_private.require_post(post_id bigint)
  returns app_public.post
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_post app_public.post;
begin
  select p.* into v_post from app_public.post p
    join app_public.agent a on a.id = p.agent_id
    where p.id = require_post.post_id and p.deleted_at is null and a.deleted_at is null
      and not app_hidden.is_blocked_between(a.owner_id, app_hidden.current_account_id());
  if not found then
    raise exception 'There is no such post' using
      errcode = 'AG009',
      detail = pg_catalog.format('post %s', require_post.post_id),
      hint = 'It may have been deleted: reload the list.';
  end if;
  return v_post;
end
$$;

comment on function app_private.require_post(bigint) is
  'The post; AG009 where there is none that the caller may read.';
