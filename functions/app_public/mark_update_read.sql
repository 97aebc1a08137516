/*
 * Marks an update as read, followed or not. One insert; repeating it writes nothing. A suspended
 * account may read.
 */
create or replace function app_public.mark_update_read(update_id bigint)
  returns app_public.agent_update
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_update constant app_public.agent_update :=
    app_private.require_update(mark_update_read.update_id);
begin
  insert into app_public.update_read (account_id, update_id)
    values (v_account_id, v_update.id)
    on conflict (account_id, update_id) do nothing;
  return v_update;
end
$$;

comment on function app_public.mark_update_read(bigint) is
  'Marks an update as read. Repeating it changes nothing.';

grant execute on function app_public.mark_update_read(bigint)
  to app_anonymous, app_account, app_moderator;
