/*
 * Deletes the caller's account with what it showed and wrote in public, all in this call, and takes
 * it out of its direct conversations. Conversations and chains that it began stay, and so do its
 * messages: they belong to everybody who took part. A job erases its telemetry.
 *
 * The row lock for update comes first and is the only one of its strength: it waits for the
 * account's own calls in flight, which hold a key share (see require_account), and makes later ones
 * look again. Without it a vote cast at the same time would outlive its voter. The update of the
 * opinions conflicts with their moderation only; votes that others cast on them at the same moment
 * are counted right in either order, because a vote counts by the state of its opinion. Deleting
 * twice changes nothing.
 */
create or replace function app_public.delete_account()
  returns app_public.account
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account app_public.account;
begin
  if app_hidden.current_account_id() is null then
    perform app_hidden.require_account();
  end if;
  select a.* into v_account from app_public.account a
    where a.id = app_hidden.current_account_id()
    for update;
  if v_account.id is null then
    select a.* into v_account from app_public.account a
      where a.id = app_hidden.current_account_id() and a.deleted_at is not null;
    if v_account.id is not null then
      return v_account;
    end if;
  end if;
  perform app_hidden.require_account();
  update app_public.opinion o
    set deleted_at = now()
    where o.author_id = v_account.id and o.deleted_at is null;
  update app_public.opinion_vote v
    set cancelled_at = now()
    where v.voter_id = v_account.id and v.cancelled_at is null;
  perform app_hidden.leave_direct_conversations();
  perform app_hidden.delete_discovery_of(v_account.id);
  perform app_hidden.delete_agents();
  perform app_hidden.end_access();
  perform app_hidden.queue_erasure();
  update app_public.account a
    set display_name = null, deleted_at = now()
    where a.id = v_account.id
    returning a.* into v_account;
  return v_account;
end
$$;

comment on function app_public.delete_account() is
  'Deletes the caller''s account with its projects, opinions and votes. This cannot be undone.';

grant execute on function app_public.delete_account() to app_anonymous, app_account, app_moderator;
