/* Of what happens at once with the same request, one wins: see app_hidden.answer_intro. */
create or replace function app_public.accept_intro(intro_request_id bigint, answer text default '')
  returns app_public.intro_request
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
begin
  perform app_hidden.require_active_account();
  return app_hidden.answer_intro(
    accept_intro.intro_request_id, 'accepted', accept_intro.answer);
end
$$;

comment on function app_public.accept_intro(bigint, text) is
  'Accepts an intro that the caller was asked for.';

grant execute on function app_public.accept_intro(bigint, text)
  to app_anonymous, app_account, app_moderator;
