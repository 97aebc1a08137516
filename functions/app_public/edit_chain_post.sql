/*
 * Changes a post or reply of the caller's: what is left out stays. Writes nothing if all stays the
 * same. A reply has no title.
 */
create or replace function app_public.edit_chain_post(
  post_id bigint, title text default null, content text default null
)
  returns app_public.chain_post
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_old app_public.chain_post;
  v_new app_public.chain_post;
begin
  select p.* into v_old from app_public.chain_post p
    where p.id = edit_chain_post.post_id and p.deleted_at is null;
  if v_old.id is null then
    raise exception 'There is no such post' using
      errcode = 'DC004',
      detail = pg_catalog.format('post %s', edit_chain_post.post_id),
      hint = 'It may have been deleted: reload the chain.';
  end if;
  if v_old.author_id <> v_account_id then
    raise exception 'Only its author may change a post' using
      errcode = 'DC007',
      detail = pg_catalog.format('post %s, account %s', v_old.id, v_account_id),
      hint = 'Reply to it.';
  end if;
  v_new.title := case when v_old.parent_id is null then app_hidden.require_text(
    coalesce(edit_chain_post.title, v_old.title), 'title', 1, 200, 'DC008') else '' end;
  v_new.content := app_hidden.require_text(
    coalesce(edit_chain_post.content, v_old.content), 'post', 1, 10000, 'DC008');
  if (v_old.title, v_old.content) is not distinct from (v_new.title, v_new.content) then
    return v_old;
  end if;
  update app_public.chain_post p
    set title = v_new.title, content = v_new.content, edited_at = now()
    where p.id = v_old.id and p.deleted_at is null
    returning p.* into v_new;
  if not found then
    raise exception 'There is no such post' using
      errcode = 'DC004',
      detail = pg_catalog.format('post %s', v_old.id),
      hint = 'It has just been deleted.';
  end if;
  return v_new;
end
$$;

comment on function app_public.edit_chain_post(bigint, text, text) is
  'Changes a post or reply of the caller''s; what is left out stays.';

grant execute on function app_public.edit_chain_post(bigint, text, text)
  to app_anonymous, app_account, app_moderator;
