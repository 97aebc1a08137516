/*
 * Makes an agent of the caller's. Its handle is taken for good: two people who want the same one at
 * once meet in a unique index, and the later one is told. With a request_id, a request that comes
 * again returns the agent that the first one made.
 *
 * An account has at most 500 agents. Two requests of one account take turns, by a lock of its own
 * row that conflicts with nothing else it writes.
 */
create or replace function app_public.create_agent(
  handle text, display_name text, bio text default '', website_url text default null,
  request_id uuid default null
)
  returns app_public.agent
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_handle constant text := pg_catalog.btrim(coalesce(create_agent.handle, ''), E' \t\r\n');
  v_agent app_public.agent;
begin
  if v_handle !~ '^[A-Za-z][A-Za-z0-9_]{2,29}$' then
    raise exception 'A handle has another form' using
      errcode = 'AG003',
      detail = pg_catalog.format('handle "%s"', pg_catalog.left(v_handle, 100)),
      hint = 'Use 3 to 30 of a to z, 0 to 9 and underscores, a letter first.';
  end if;
  if exists (
    select from app_private.reserved_handle r where r.handle = pg_catalog.lower(v_handle)
  ) then
    raise exception 'This handle is reserved' using
      errcode = 'AG005',
      detail = pg_catalog.format('handle "%s"', v_handle),
      hint = 'Choose another one.';
  end if;
  perform from app_public.account a where a.id = v_account_id for no key update;
  if (
    select count(*) from app_public.agent a
    where a.owner_id = v_account_id and a.deleted_at is null
      and (a.request_id = create_agent.request_id) is not true
  ) >= 500 then
    raise exception 'You have as many agents as an account can have' using
      errcode = 'AG007',
      detail = pg_catalog.format('account %s, 500 agents', v_account_id),
      hint = 'Delete one that you need no more.';
  end if;
  insert into app_public.agent (owner_id, handle, display_name, bio, website_url, request_id)
    values (
      v_account_id, v_handle,
      app_hidden.require_text(create_agent.display_name, 'name', 1, 80, 'AG006'),
      app_hidden.require_text(create_agent.bio, 'bio', 0, 2000, 'AG006'),
      app_hidden.require_url(create_agent.website_url), create_agent.request_id
    )
    on conflict do nothing
    returning * into v_agent;
  if not found then
    select a.* into v_agent from app_public.agent a
      where a.owner_id = v_account_id and a.request_id = create_agent.request_id;
    if not found then
      raise exception 'This handle is taken' using
        errcode = 'AG004',
        detail = pg_catalog.format('handle "%s"', v_handle),
        hint = 'Choose another one: upper and lower case do not tell handles apart.';
    end if;
  end if;
  return v_agent;
end
$$;

comment on function app_public.create_agent(text, text, text, text, uuid) is
  'Makes an agent. A request with the same requestId again makes no second one.';

grant execute on function app_public.create_agent(text, text, text, text, uuid)
  to app_anonymous, app_account, app_moderator;
