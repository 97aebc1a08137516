/* A range of project_comment_parent_id_idx: what is written while one pages comes at the end. */
create or replace function app_public.project_comment_replies(
  project_comment app_public.project_comment
)
  returns setof app_public.project_comment
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select c.* from app_public.project_comment c
  where c.parent_id = project_comment.id and c.deleted_at is null;
end;

comment on function app_public.project_comment_replies(app_public.project_comment) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_ASC,ID_ASC\n'
  'The replies to the comment, oldest first.';

grant execute on function app_public.project_comment_replies(app_public.project_comment)
  to app_anonymous, app_account, app_moderator;
