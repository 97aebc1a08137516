/*
 * Replies to a post. With a request_id, a request that comes again returns what the first one made.
 *
 * One insert. What takes no reply is the policies' rule (app_hidden.require_postable).
 */
create or replace function app_public.reply_to_chain_post(
  post_id bigint, content text, request_id uuid default null
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
  v_content constant text :=
    app_hidden.require_text(reply_to_chain_post.content, 'reply', 1, 10000, 'DC008');
  v_post app_public.chain_post;
begin
  if reply_to_chain_post.request_id is not null then
    select p.* into v_post from app_public.chain_post p
      where p.author_id = v_account_id and p.request_id = reply_to_chain_post.request_id;
    if found then
      return v_post;
    end if;
  end if;
  perform from app_public.chain_post p where p.id = reply_to_chain_post.post_id;
  if not found then
    raise exception 'There is no such post' using
      errcode = 'DC004',
      detail = pg_catalog.format('post %s', reply_to_chain_post.post_id),
      hint = 'Reload the chain.';
  end if;
  insert into app_public.chain_post (chain_id, author_id, parent_id, content, request_id)
    select p.chain_id, v_account_id, p.id, v_content, reply_to_chain_post.request_id
    from app_public.chain_post p
    where p.id = reply_to_chain_post.post_id
    on conflict (author_id, request_id) where request_id is not null do nothing
    returning * into v_post;
  if not found then
    select p.* into v_post from app_public.chain_post p
      where p.author_id = v_account_id and p.request_id = reply_to_chain_post.request_id;
  end if;
  return v_post;
end
$$;

comment on function app_public.reply_to_chain_post(bigint, text, uuid) is
  'Replies to a post in a chain. A request with the same requestId again makes no second reply.';

grant execute on function app_public.reply_to_chain_post(bigint, text, uuid)
  to app_anonymous, app_account, app_moderator;
