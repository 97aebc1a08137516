/*
 * Deletes an opinion of the caller's. Authors may do so at any time, in a locked or closed
 * conversation and with a moderated opinion too. Its votes stay in the table and stop counting.
 * Deleting twice changes nothing.
 *
 * Locks the opinion against its moderation; votes go on beside it and count by what commits.
 */
create or replace function app_public.delete_opinion(opinion_id bigint)
  returns app_public.opinion
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_opinion app_public.opinion;
begin
  update app_public.opinion o
    set deleted_at = now()
    where o.id = delete_opinion.opinion_id and o.author_id = v_account_id and o.deleted_at is null
    returning o.* into v_opinion;
  if not found then
    select o.* into v_opinion from app_public.opinion o
      where o.id = delete_opinion.opinion_id
        and (o.author_id = v_account_id or o.deleted_at is null);
    if v_opinion.id is null then
      raise exception 'There is no such opinion' using
        errcode = 'DL002',
        detail = pg_catalog.format('opinion %s', delete_opinion.opinion_id),
        hint = 'It may have been deleted: reload the conversation.';
    end if;
    if v_opinion.author_id <> v_account_id then
      raise exception 'Only its author may delete an opinion' using
        errcode = 'DL006',
        detail = pg_catalog.format('opinion %s, account %s', v_opinion.id, v_account_id),
        hint = 'A moderator can move or hide it with moderate_opinion.';
    end if;
  end if;
  return v_opinion;
end
$$;

comment on function app_public.delete_opinion(bigint) is 'Deletes an opinion of the caller''s.';

grant execute on function app_public.delete_opinion(bigint)
  to app_anonymous, app_account, app_moderator;
