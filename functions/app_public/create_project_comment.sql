/*
 * Comments on a project, or replies to a comment on it. With a request_id, a request that comes
 * again returns what the first one made, even if what it commented on is gone by now.
 *
 * One insert: commentators never wait for each other. What takes no comment is the policies' rule
 * (app_hidden.require_commentable), which raises from within the insert: no such project or
 * comment, a reply to a reply, a block between the caller and the project's owner or the comment's
 * author.
 */
create or replace function app_public.create_project_comment(
  project_id bigint, content text, parent_id bigint default null, request_id uuid default null
)
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
    app_hidden.require_text(create_project_comment.content, 'comment', 1, 5000, 'DC008');
  v_comment app_public.project_comment;
begin
  if create_project_comment.request_id is not null then
    select c.* into v_comment from app_public.project_comment c
      where c.author_id = v_account_id and c.request_id = create_project_comment.request_id;
    if found then
      return v_comment;
    end if;
  end if;
  insert into app_public.project_comment (project_id, author_id, parent_id, content, request_id)
    values (
      create_project_comment.project_id, v_account_id, create_project_comment.parent_id,
      v_content, create_project_comment.request_id
    )
    on conflict (author_id, request_id) where request_id is not null do nothing
    returning * into v_comment;
  if not found then
    select c.* into v_comment from app_public.project_comment c
      where c.author_id = v_account_id and c.request_id = create_project_comment.request_id;
  end if;
  return v_comment;
end
$$;

comment on function app_public.create_project_comment(bigint, text, bigint, uuid) is
  'Comments on a project, or replies to a comment. A request with the same requestId again makes '
  'no second one.';

grant execute on function app_public.create_project_comment(bigint, text, bigint, uuid)
  to app_anonymous, app_account, app_moderator;
