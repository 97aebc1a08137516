/* A range of report_undecided_idx; for others than moderators nothing is looked through. */
create or replace function app_public.undecided_reports()
  returns setof app_public.report
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select r.* from app_public.report r
  where r.state in ('open', 'reviewing') and (select app_hidden.is_moderator());
end;

comment on function app_public.undecided_reports() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_ASC,ID_ASC\n'
  'Reports that wait for a decision, oldest first. For moderators.';

grant execute on function app_public.undecided_reports()
  to app_anonymous, app_account, app_moderator;
