/*
 * Ends the caller's open intro requests with a project or an investor that goes: those that they
 * sent are withdrawn, those that they received declined. In the order of the requests, so that two
 * such calls cannot deadlock.
 */
create or replace function app_hidden.end_intro_requests(project_id bigint, investor_id bigint)
  returns void
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  with open_request as materialized (
    select r.id from app_public.intro_request r
    where r.state = 'requested'
      and (r.project_id = end_intro_requests.project_id
        or r.investor_id = end_intro_requests.investor_id)
    order by r.id
    for no key update
  )
  update app_public.intro_request r
    set ended_at = now(),
      state = case r.requester_id
        when app_hidden.current_account_id() then 'withdrawn'::app_public.intro_state
        else 'declined' end
    from open_request o
    where r.id = o.id and r.state = 'requested';
$$;

comment on function app_hidden.end_intro_requests(bigint, bigint) is
  'Ends the caller''s open intro requests with a project or an investor.';

grant execute on function app_hidden.end_intro_requests(bigint, bigint)
  to app_account, app_moderator;
