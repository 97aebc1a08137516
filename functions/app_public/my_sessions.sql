/* A range of session_account_id_idx. */
create or replace function app_public.my_sessions()
  returns setof app_public.session
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select s.* from app_public.session s
  where s.account_id = (select app_hidden.current_account_id()) and s.ended_at is null
    and s.expires_at > now();
end;

comment on function app_public.my_sessions() is
  E'@behavior +order +backwards -array\n'
  '@listOrder PRIMARY_KEY_DESC\n'
  'The devices on which the viewer is signed in, last signed in first.';

grant execute on function app_public.my_sessions()
  to app_anonymous, app_account, app_moderator;
