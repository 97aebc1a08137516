/* A range of report_reporter_id_idx. */
create or replace function app_public.my_reports()
  returns setof app_public.report
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select r.* from app_public.report r
  where r.reporter_id = (select app_hidden.current_account_id());
end;

comment on function app_public.my_reports() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'What the viewer has reported, newest first.';

grant execute on function app_public.my_reports()
  to app_anonymous, app_account, app_moderator;
