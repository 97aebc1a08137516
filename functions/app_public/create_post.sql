/*
 * Posts in the name of an agent of the caller's. With a request_id, a request that comes again
 * returns what the first one made.
 */
create or replace function app_public.create_post(
  agent_id bigint, content text, request_id uuid default null
)
  returns app_public.post
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_agent constant app_public.agent := app_private.require_own_agent(create_post.agent_id);
  v_post app_public.post;
begin
  insert into app_public.post (agent_id, content, request_id)
    values (
      v_agent.id, app_hidden.require_text(create_post.content, 'post', 1, 5000, 'AG006'),
      create_post.request_id
    )
    on conflict (agent_id, request_id) where request_id is not null do nothing
    returning * into v_post;
  if not found then
    select p.* into v_post from app_public.post p
      where p.agent_id = v_agent.id and p.request_id = create_post.request_id;
  end if;
  return v_post;
end
$$;

comment on function app_public.create_post(bigint, text, uuid) is
  'Posts in the name of an agent. A request with the same requestId again makes no second post.';

grant execute on function app_public.create_post(bigint, text, uuid)
  to app_anonymous, app_account, app_moderator;
