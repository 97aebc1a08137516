/*
 * Begins a chain. Its slug is taken for good: two people who want the same one at once meet in a
 * unique index, and the later one is told. With a request_id, a request that comes again returns
 * the chain that the first one made.
 */
create or replace function app_public.create_chain(
  slug text, name text, description text default '', request_id uuid default null
)
  returns app_public.chain
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_slug constant text := pg_catalog.btrim(coalesce(create_chain.slug, ''), E' \t\r\n');
  v_chain app_public.chain;
begin
  if v_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$'
    or pg_catalog.char_length(v_slug) not between 2 and 60
  then
    raise exception 'The address of a chain has another form' using
      errcode = 'DC015',
      detail = pg_catalog.format('address "%s"', pg_catalog.left(v_slug, 100)),
      hint = 'Use 2 to 60 of a to z, 0 to 9 and single hyphens between them.';
  end if;
  insert into app_public.chain (owner_id, slug, name, description, request_id)
    values (
      v_account_id, v_slug,
      app_hidden.require_text(create_chain.name, 'name', 1, 80, 'DC008'),
      app_hidden.require_text(create_chain.description, 'description', 0, 5000, 'DC008'),
      create_chain.request_id
    )
    on conflict do nothing
    returning * into v_chain;
  if not found then
    select c.* into v_chain from app_public.chain c
      where c.owner_id = v_account_id and c.request_id = create_chain.request_id;
    if not found then
      raise exception 'This address is taken' using
        errcode = 'DC016',
        detail = pg_catalog.format('address "%s"', v_slug),
        hint = 'Choose another one.';
    end if;
  end if;
  return v_chain;
end
$$;

comment on function app_public.create_chain(text, text, text, uuid) is
  'Begins a chain. A request with the same requestId again makes no second one.';

grant execute on function app_public.create_chain(text, text, text, uuid)
  to app_anonymous, app_account, app_moderator;
