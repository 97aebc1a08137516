/*
 * Changes what a chain's owner says of it: what is left out stays. Writes nothing if all stays the
 * same.
 */
create or replace function app_public.update_chain(
  chain_id bigint, name text default null, description text default null
)
  returns app_public.chain
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_chain_owner(update_chain.chain_id);
  v_old app_public.chain;
  v_new app_public.chain;
begin
  select c.* into v_old from app_public.chain c
    where c.id = update_chain.chain_id and c.owner_id = v_account_id
    for no key update;
  v_new.name := app_hidden.require_text(
    coalesce(update_chain.name, v_old.name), 'name', 1, 80, 'DC008');
  v_new.description := app_hidden.require_text(
    coalesce(update_chain.description, v_old.description), 'description', 0, 5000, 'DC008');
  if (v_old.name, v_old.description) is not distinct from (v_new.name, v_new.description) then
    return v_old;
  end if;
  update app_public.chain c
    set name = v_new.name, description = v_new.description, updated_at = now()
    where c.id = v_old.id
    returning c.* into v_new;
  return v_new;
end
$$;

comment on function app_public.update_chain(bigint, text, text) is
  'Changes a chain of the caller''s; what is left out stays.';

grant execute on function app_public.update_chain(bigint, text, text)
  to app_anonymous, app_account, app_moderator;
