/*
 * What accept_intro, decline_intro and withdraw_intro have in common: who may do it, and what the
 * request must be like. The update finds it open or not at all, so of two answers at once, or an
 * answer and a withdrawal, one wins, and the other is told. The same again changes nothing.
 */
create or replace function app_hidden.answer_intro(
  intro_request_id bigint, state app_public.intro_state, answer text
)
  returns app_public.intro_request
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.current_account_id();
  v_answer constant text :=
    app_hidden.require_text(answer_intro.answer, 'answer', 0, 2000, 'DC008');
  v_request app_public.intro_request;
begin
  select r.* into v_request from app_public.intro_request r
    where r.id = answer_intro.intro_request_id;
  if v_request.id is null then
    raise exception 'There is no such intro request' using
      errcode = 'DC006',
      detail = pg_catalog.format('intro request %s', answer_intro.intro_request_id),
      hint = 'Reload your requests.';
  end if;
  if v_account_id <> (
    case answer_intro.state
      when 'withdrawn' then v_request.requester_id
      else v_request.recipient_id
    end
  ) then
    raise exception 'This is for the other side to do' using
      errcode = 'DC007',
      detail = pg_catalog.format('intro request %s, %s', v_request.id, answer_intro.state),
      hint = 'Who asked may withdraw; who was asked accepts or declines.';
  end if;
  if answer_intro.state = 'accepted' and v_request.state = 'requested' then
    perform app_hidden.require_project(v_request.project_id);
    perform app_hidden.require_unblocked(v_request.requester_id);
  end if;
  update app_public.intro_request r
    set state = answer_intro.state, answer = v_answer, ended_at = now()
    where r.id = v_request.id and r.state = 'requested' and r.expires_at > now()
    returning r.* into v_request;
  if found then
    return v_request;
  end if;
  select r.* into v_request from app_public.intro_request r
    where r.id = answer_intro.intro_request_id;
  if v_request.state <> answer_intro.state then
    raise exception 'This intro request is not open any more' using
      errcode = 'DC020',
      detail = pg_catalog.format('intro request %s, %s', v_request.id,
        case v_request.state when 'requested' then 'expired' else v_request.state end),
      hint = 'Reload your requests.';
  end if;
  return v_request;
end
$$;

comment on function app_hidden.answer_intro(bigint, app_public.intro_state, text) is
  'Ends an open intro request; DC006, DC007 or DC020 where the caller cannot.';

grant execute on function app_hidden.answer_intro(bigint, app_public.intro_state, text)
  to app_account, app_moderator;
