/* Compares two numbers. */
create or replace function app_public.session_is_current(session app_public.session)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return coalesce(session.id = (select app_hidden.current_session_id()), false);

comment on function app_public.session_is_current(app_public.session) is
  'Whether it is the session of this request.';

grant execute on function app_public.session_is_current(app_public.session)
  to app_anonymous, app_account, app_moderator;
