/* Of what happens at once with the same request, one wins: see app_hidden.answer_intro. */
create or replace function app_public.withdraw_intro(intro_request_id bigint)
  returns app_public.intro_request
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
begin
  perform app_hidden.require_account();
  return app_hidden.answer_intro(withdraw_intro.intro_request_id, 'withdrawn', '');
end
$$;

comment on function app_public.withdraw_intro(bigint) is
  'Takes back a request for an intro of the caller''s.';

grant execute on function app_public.withdraw_intro(bigint)
  to app_anonymous, app_account, app_moderator;
