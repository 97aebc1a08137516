/*
 * A range of project_comment_project_id_thread_idx. A deleted comment stays in the list as an empty
 * place while it has replies.
 */
create or replace function app_public.project_threads(project app_public.project)
  returns setof app_public.project_comment
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select c.* from app_public.project_comment c
  where c.project_id = project.id and c.parent_id is null
    and (c.deleted_at is null or c.reply_count > 0);
end;

comment on function app_public.project_threads(app_public.project) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The comments on the project, newest first, without the replies to them.';

grant execute on function app_public.project_threads(app_public.project)
  to app_anonymous, app_account, app_moderator;
