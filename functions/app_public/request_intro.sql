/*
 * Asks for an intro between a project and an investor: the project's owner asks the investor, or
 * the investor the owner; who asks whom follows from who calls.
 *
 * At most one request between the two is open or accepted, which a unique index holds, so two
 * requests at once, from one side or from both, make one. Asking again returns what was asked. Who
 * was asked by the other already is told to answer, and who was declined waits 30 days. Overdue
 * ones have expired, whether the hourly task has come by or not.
 *
 * Lock order: own account, then the request.
 */
create or replace function app_public.request_intro(
  project_id bigint, investor_id bigint, message text
)
  returns app_public.intro_request
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_message constant text :=
    app_hidden.require_text(request_intro.message, 'message', 1, 2000, 'DC008');
  v_founder_id bigint;
  v_investor_account_id bigint;
  v_recipient_id bigint;
  v_request app_public.intro_request;
begin
  select p.owner_id into v_founder_id from app_public.project p
    where p.id = request_intro.project_id;
  select i.account_id into v_investor_account_id from app_public.investor i
    where i.id = request_intro.investor_id;
  v_recipient_id := case v_account_id
    when v_founder_id then v_investor_account_id
    when v_investor_account_id then v_founder_id end;
  perform app_hidden.require_introducible(
    request_intro.project_id, request_intro.investor_id, v_account_id, v_recipient_id);
  perform app_hidden.expire_intro_requests(request_intro.project_id, request_intro.investor_id);

  select r.* into v_request from app_public.intro_request r
    where r.project_id = request_intro.project_id and r.investor_id = request_intro.investor_id
      and r.requester_id = v_account_id and r.state = 'declined'
      and r.ended_at > now() - interval '30 days'
    limit 1;
  if found then
    raise exception 'They have declined' using
      errcode = 'DC025',
      detail = pg_catalog.format('intro request %s, declined %s', v_request.id,
        v_request.ended_at),
      hint = 'Ask again 30 days after that.';
  end if;
  insert into app_public.intro_request (
    project_id, investor_id, requester_id, recipient_id, message
  )
    values (
      request_intro.project_id, request_intro.investor_id, v_account_id, v_recipient_id, v_message
    )
    on conflict (project_id, investor_id) where state in ('requested', 'accepted') do nothing
    returning * into v_request;
  if found then
    return v_request;
  end if;
  select r.* into v_request from app_public.intro_request r
    where r.project_id = request_intro.project_id and r.investor_id = request_intro.investor_id
      and r.state in ('requested', 'accepted');
  if v_request.requester_id <> v_account_id and v_request.state = 'requested' then
    raise exception 'They have asked you already' using
      errcode = 'DC021',
      detail = pg_catalog.format('intro request %s', v_request.id),
      hint = 'Accept or decline that request.';
  end if;
  return v_request;
end
$$;

comment on function app_public.request_intro(bigint, bigint, text) is
  'Asks for an intro between a project and an investor, one of which is the caller''s. Asking '
  'again returns what was asked.';

grant execute on function app_public.request_intro(bigint, bigint, text)
  to app_anonymous, app_account, app_moderator;
