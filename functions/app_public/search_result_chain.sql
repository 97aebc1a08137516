/* By primary key; null for other kinds. */
create or replace function app_public.search_result_chain(
  search_result app_public.search_result
)
  returns app_public.chain
  language sql
  stable
  parallel safe
  security invoker
begin atomic
  select t from app_public.chain t
  where t.id = search_result.subject_id and search_result.kind = 'chain';
end;

comment on function app_public.search_result_chain(app_public.search_result) is
  'The chain, if it is one.';

grant execute on function app_public.search_result_chain(app_public.search_result)
  to app_anonymous, app_account, app_moderator;
