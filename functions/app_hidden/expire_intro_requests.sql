/*
 * Expires the overdue requests between a project and an investor, so that a new one can be made.
 * Runs as its owner, because neither side may write that state; whoever calls it brings about
 * nothing that time has not.
 */
create or replace function app_hidden.expire_intro_requests(project_id bigint, investor_id bigint)
  returns void
  language sql
  volatile
  security definer
  set search_path to ''
as $$
  update app_public.intro_request r
    set state = 'expired', ended_at = r.expires_at
    where r.project_id = expire_intro_requests.project_id
      and r.investor_id = expire_intro_requests.investor_id
      and r.state = 'requested' and r.expires_at <= now();
$$;

comment on function app_hidden.expire_intro_requests(bigint, bigint) is
  'Expires the overdue requests between a project and an investor.';

grant execute on function app_hidden.expire_intro_requests(bigint, bigint)
  to app_account, app_moderator;
