/*
 * Which of some sessions have ended: for a host that holds web sockets open. By primary key. Runs
 * as its owner, because a host asks in nobody's name; of a session it tells no more than that.
 */
create or replace function app_hidden.ended_sessions(session_ids bigint[])
  returns setof bigint
  language sql
  stable
  parallel safe
  security definer
  set search_path to ''
begin atomic
  select i.id from unnest(ended_sessions.session_ids) as i (id)
  where not exists (
    select from app_public.session s
    where s.id = i.id and s.ended_at is null and s.expires_at > now()
  );
end;

comment on function app_hidden.ended_sessions(bigint[]) is 'Which of the sessions have ended.';

grant execute on function app_hidden.ended_sessions(bigint[]) to app_anonymous;
