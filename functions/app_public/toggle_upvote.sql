/*
 * Gives the caller's upvote to a project or takes it back: what `upvoted` says, or, without it, the
 * other way round. A client that may send a request twice says which it wants: repeated, that
 * changes nothing.
 *
 * One statement decides and writes: two of the caller's requests at once meet in the row, and the
 * later one starts from what the earlier one left. It locks (key share) the project and the
 * account; two people never wait for each other. What takes no upvote is the policies' rule
 * (app_hidden.require_upvotable_project).
 */
create or replace function app_public.toggle_upvote(
  project_id bigint, upvoted boolean default null
)
  returns app_public.project_upvote_state
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_state app_public.project_upvote_state;
begin
  if toggle_upvote.upvoted is false then
    update app_public.project_upvote u
      set withdrawn_at = now()
      where u.project_id = toggle_upvote.project_id and u.account_id = v_account_id
        and u.withdrawn_at is null;
  else
    insert into app_public.project_upvote as u (project_id, account_id)
      values (toggle_upvote.project_id, v_account_id)
      on conflict (project_id, account_id) do update
        set withdrawn_at = case when u.withdrawn_at is null then now() end,
          created_at = case when u.withdrawn_at is null then u.created_at else now() end
        where toggle_upvote.upvoted is null or u.withdrawn_at is not null;
  end if;
  select s.* into v_state from app_public.project_upvote_state s
    where s.project_id = toggle_upvote.project_id;
  if not found then
    perform app_hidden.require_project(toggle_upvote.project_id);
  end if;
  return v_state;
end
$$;

comment on function app_public.toggle_upvote(bigint, boolean) is
  'Gives or takes back the caller''s upvote of a project, as upvoted says; without that, the other '
  'way round.';

grant execute on function app_public.toggle_upvote(bigint, boolean)
  to app_anonymous, app_account, app_moderator;
