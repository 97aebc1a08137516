/*
 * Of what happens at once with the same request, one wins: see app_hidden.answer_intro. A suspended
 * account may decline, but say nothing.
 */
create or replace function app_public.decline_intro(
  intro_request_id bigint, answer text default ''
)
  returns app_public.intro_request
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
begin
  if pg_catalog.btrim(decline_intro.answer, E' \t\r\n') <> '' then
    perform app_hidden.require_active_account();
  else
    perform app_hidden.require_account();
  end if;
  return app_hidden.answer_intro(
    decline_intro.intro_request_id, 'declined', decline_intro.answer);
end
$$;

comment on function app_public.decline_intro(bigint, text) is
  'Declines an intro that the caller was asked for.';

grant execute on function app_public.decline_intro(bigint, text)
  to app_anonymous, app_account, app_moderator;
