/*
 * Expires overdue intro requests, at most `size` in one statement: for a task, which takes the rest
 * the next time. In the order of their index, without those that somebody is just answering.
 */
create or replace function app_private.expire_overdue_intro_requests(size integer default 10000)
  returns bigint
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  with overdue as materialized (
    select r.id from app_public.intro_request r
    where r.state = 'requested' and r.expires_at <= now()
    order by r.expires_at
    limit expire_overdue_intro_requests.size
    for no key update skip locked
  ), expired as (
    update app_public.intro_request r
      set state = 'expired', ended_at = r.expires_at
      from overdue o
      where r.id = o.id
      returning r.id
  )
  select count(*) from expired;
$$;

comment on function app_private.expire_overdue_intro_requests(integer) is
  'Expires overdue intro requests and returns how many.';
