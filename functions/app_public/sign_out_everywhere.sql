/*
 * Ends all sessions of the caller, that of the request too. Returns how many there were.
 */
create or replace function app_public.sign_out_everywhere()
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_count bigint;
begin
  update app_public.session s
    set ended_at = pg_catalog.now()
    where s.account_id = v_account_id and s.ended_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function app_public.sign_out_everywhere() is
  'Signs all devices of the caller out; returns how many they were.';

grant execute on function app_public.sign_out_everywhere()
  to app_anonymous, app_account, app_moderator;
