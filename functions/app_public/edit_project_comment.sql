/* Changes a comment of the caller's. Writes nothing if the text stays the same. */
create or replace function app_public.edit_project_comment(comment_id bigint, content text)
  returns app_public.project_comment
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_content constant text :=
    app_hidden.require_text(edit_project_comment.content, 'comment', 1, 5000, 'DC008');
  v_comment app_public.project_comment;
begin
  update app_public.project_comment c
    set content = v_content, edited_at = now()
    where c.id = edit_project_comment.comment_id and c.author_id = v_account_id
      and c.deleted_at is null and c.content <> v_content
    returning c.* into v_comment;
  if found then
    return v_comment;
  end if;
  select c.* into v_comment from app_public.project_comment c
    where c.id = edit_project_comment.comment_id and c.deleted_at is null;
  if v_comment.id is null then
    raise exception 'There is no such comment' using
      errcode = 'DC002',
      detail = pg_catalog.format('comment %s', edit_project_comment.comment_id),
      hint = 'It may have been deleted: reload the project.';
  end if;
  if v_comment.author_id <> v_account_id then
    raise exception 'Only its author may change a comment' using
      errcode = 'DC007',
      detail = pg_catalog.format('comment %s, account %s', v_comment.id, v_account_id),
      hint = 'Reply to it.';
  end if;
  return v_comment;
end
$$;

comment on function app_public.edit_project_comment(bigint, text) is
  'Changes a comment of the caller''s.';

grant execute on function app_public.edit_project_comment(bigint, text)
  to app_anonymous, app_account, app_moderator;
