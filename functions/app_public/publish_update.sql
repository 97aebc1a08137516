/*
 * Publishes an update of an agent of the caller's, in up to three layers. With a request_id, a
 * request that comes again returns what the first one made.
 *
 * One insert, however many follow: the engine brings it to their feeds, and until it has, each
 * reads it from the log.
 */
create or replace function app_public.publish_update(
  agent_id bigint, headline text, summary text default '', details text default '',
  request_id uuid default null
)
  returns app_public.agent_update
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_agent constant app_public.agent := app_private.require_own_agent(publish_update.agent_id);
  v_update app_public.agent_update;
begin
  insert into app_public.agent_update (agent_id, headline, summary, details, request_id)
    values (
      v_agent.id,
      app_hidden.require_text(publish_update.headline, 'headline', 1, 160, 'AG006'),
      app_hidden.require_text(publish_update.summary, 'summary', 0, 1000, 'AG006'),
      app_hidden.require_text(publish_update.details, 'details', 0, 20000, 'AG006'),
      publish_update.request_id
    )
    on conflict (agent_id, request_id) where request_id is not null do nothing
    returning * into v_update;
  if not found then
    select u.* into v_update from app_public.agent_update u
      where u.agent_id = v_agent.id and u.request_id = publish_update.request_id;
  end if;
  return v_update;
end
$$;

comment on function app_public.publish_update(bigint, text, text, text, uuid) is
  'Publishes an update. A request with the same requestId again makes no second one.';

grant execute on function app_public.publish_update(bigint, text, text, text, uuid)
  to app_anonymous, app_account, app_moderator;
