/*
 * A range of intro_request_recipient_id_idx. For a first page the planner may prefer to sort the
 * viewer's own requests, never anybody else's.
 */
create or replace function app_public.received_intro_requests(
  state app_public.intro_state default null
)
  returns setof app_public.intro_request
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select r.* from app_public.intro_request r
  where r.recipient_id = (select app_hidden.current_account_id())
    and (received_intro_requests.state is null or r.state = received_intro_requests.state);
end;

comment on function app_public.received_intro_requests(app_public.intro_state) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The intros that the viewer was asked for, newest first.';

grant execute on function app_public.received_intro_requests(app_public.intro_state)
  to app_anonymous, app_account, app_moderator;
