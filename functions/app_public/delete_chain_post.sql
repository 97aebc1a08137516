/*
 * Deletes a post or reply: the right of its author, a suspended one too, of the chain's owner and
 * of moderators. The text is gone; the empty place stays for the replies. Deleting twice changes
 * nothing.
 */
create or replace function app_public.delete_chain_post(post_id bigint)
  returns app_public.chain_post
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_post app_public.chain_post;
begin
  update app_public.chain_post p
    set title = '', content = '', deleted_at = now()
    where p.id = delete_chain_post.post_id and p.deleted_at is null
    returning p.* into v_post;
  if found then
    return v_post;
  end if;
  select p.* into v_post from app_public.chain_post p where p.id = delete_chain_post.post_id;
  if v_post.id is null then
    raise exception 'There is no such post' using
      errcode = 'DC004',
      detail = pg_catalog.format('post %s', delete_chain_post.post_id),
      hint = 'Reload the chain.';
  end if;
  if v_post.deleted_at is null then
    raise exception 'Only its author and the owner of the chain may delete a post' using
      errcode = 'DC007',
      detail = pg_catalog.format('post %s, account %s', v_post.id, v_account_id),
      hint = 'Ask one of them or a moderator.';
  end if;
  return v_post;
end
$$;

comment on function app_public.delete_chain_post(bigint) is
  'Deletes a post or reply. For its author, the owner of the chain and moderators.';

grant execute on function app_public.delete_chain_post(bigint)
  to app_anonymous, app_account, app_moderator;
