/*
 * Deletes a comment: its author's right, a suspended one's too, and moderators'. The text is gone;
 * the empty place stays for its replies. Deleting twice changes nothing.
 */
create or replace function app_public.delete_project_comment(comment_id bigint)
  returns app_public.project_comment
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_comment app_public.project_comment;
begin
  update app_public.project_comment c
    set content = '', deleted_at = now()
    where c.id = delete_project_comment.comment_id and c.deleted_at is null
      and (c.author_id = v_account_id or app_hidden.is_moderator())
    returning c.* into v_comment;
  if found then
    return v_comment;
  end if;
  select c.* into v_comment from app_public.project_comment c
    where c.id = delete_project_comment.comment_id;
  if v_comment.id is null then
    raise exception 'There is no such comment' using
      errcode = 'DC002',
      detail = pg_catalog.format('comment %s', delete_project_comment.comment_id),
      hint = 'Reload the project.';
  end if;
  if v_comment.deleted_at is null then
    raise exception 'Only its author may delete a comment' using
      errcode = 'DC007',
      detail = pg_catalog.format('comment %s, account %s', v_comment.id, v_account_id),
      hint = 'Ask its author or a moderator.';
  end if;
  return v_comment;
end
$$;

comment on function app_public.delete_project_comment(bigint) is
  'Deletes a comment. For its author and moderators.';

grant execute on function app_public.delete_project_comment(bigint)
  to app_anonymous, app_account, app_moderator;
