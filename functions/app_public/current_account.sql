/* Nobody for visitors and for accounts deleted since their token was made. */
create or replace function app_public.current_account()
  returns app_public.account
  language sql
  stable
  parallel safe
  security invoker
begin atomic
  select a from app_public.account a
  where a.id = (select app_hidden.current_account_id()) and a.deleted_at is null;
end;

comment on function app_public.current_account() is 'The account on whose behalf the request runs.';

grant execute on function app_public.current_account() to app_anonymous, app_account, app_moderator;
