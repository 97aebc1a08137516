/*
 * Posts in the forum of a chain. With a request_id, a request that comes again returns what the
 * first one made.
 *
 * One insert: authors never wait for each other. What takes no post is the policies' rule
 * (app_hidden.require_postable), which raises from within the insert.
 */
create or replace function app_public.create_chain_post(
  chain_id bigint, title text, content text, request_id uuid default null
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
  v_title constant text :=
    app_hidden.require_text(create_chain_post.title, 'title', 1, 200, 'DC008');
  v_content constant text :=
    app_hidden.require_text(create_chain_post.content, 'post', 1, 10000, 'DC008');
  v_post app_public.chain_post;
begin
  if create_chain_post.request_id is not null then
    select p.* into v_post from app_public.chain_post p
      where p.author_id = v_account_id and p.request_id = create_chain_post.request_id;
    if found then
      return v_post;
    end if;
  end if;
  insert into app_public.chain_post (chain_id, author_id, title, content, request_id)
    values (
      create_chain_post.chain_id, v_account_id, v_title, v_content, create_chain_post.request_id
    )
    on conflict (author_id, request_id) where request_id is not null do nothing
    returning * into v_post;
  if not found then
    select p.* into v_post from app_public.chain_post p
      where p.author_id = v_account_id and p.request_id = create_chain_post.request_id;
  end if;
  return v_post;
end
$$;

comment on function app_public.create_chain_post(bigint, text, text, uuid) is
  'Posts in a chain. A request with the same requestId again makes no second post.';

grant execute on function app_public.create_chain_post(bigint, text, text, uuid)
  to app_anonymous, app_account, app_moderator;
