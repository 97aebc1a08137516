/*
 * The directory, those with most intros first: a range of investor_directory_intro_count_idx, from
 * which the page takes what it looks for.
 */
create or replace function app_public.find_investors(
  stage app_public.investor_stage default null,
  sector text default null,
  open_only boolean default false
)
  returns setof app_public.investor_directory
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select i.* from app_public.investor_directory i
  where app_hidden.investor_matches(
    i, find_investors.stage, pg_catalog.lower(pg_catalog.btrim(find_investors.sector)),
    find_investors.open_only);
end;

comment on function app_public.find_investors(app_public.investor_stage, text, boolean) is
  E'@behavior +order +backwards -array\n'
  '@listOrder INTRO_COUNT_DESC,INVESTOR_ID_DESC\n'
  'The investors, most intros first; at a stage, in a sector, or only those who take requests.';

grant execute on function app_public.find_investors(app_public.investor_stage, text, boolean)
  to app_anonymous, app_account, app_moderator;
