/*
 * Marks what is unread in the caller's feed as read: of one agent, or all. Returns how many that
 * were; at most 10,000 a call, so a client that gets as many calls again.
 *
 * Writes a row for each update that it sees in the feed: one that commits later stays unread, even
 * where it was published earlier. Two windows of one person may both mark the same ones; each is
 * told of those that it has marked.
 */
create or replace function app_public.mark_updates_read(agent_id bigint default null)
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_count bigint;
begin
  insert into app_public.update_read (account_id, update_id)
    select f.account_id, f.update_id
    from app_public.agent_feed_item_live f
    where f.account_id = v_account_id and not f.is_read
      and (mark_updates_read.agent_id is null or f.agent_id = mark_updates_read.agent_id)
    order by f.update_id
    limit 10000
    on conflict (account_id, update_id) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function app_public.mark_updates_read(bigint) is
  'Marks the unread updates of an agent, or of all in the feed, as read; returns how many.';

grant execute on function app_public.mark_updates_read(bigint)
  to app_anonymous, app_account, app_moderator;
