/* By primary key; null for other kinds. */
create or replace function app_public.search_result_person(
  search_result app_public.search_result
)
  returns app_public.account
  language sql
  stable
  parallel safe
  security invoker
begin atomic
  select t from app_public.account t
  where t.id = search_result.subject_id and search_result.kind = 'person';
end;

comment on function app_public.search_result_person(app_public.search_result) is
  'The person, if it is one.';

grant execute on function app_public.search_result_person(app_public.search_result)
  to app_anonymous, app_account, app_moderator;
