/*
 * Deletes challenges that have expired, ends sessions that have, and deletes sessions that ended
 * more than 30 days ago: a batch of each, in one call of the task every five minutes. Skips rows
 * that somebody holds: they are in the next run.
 */
create or replace function app_private.expire_access(batch_size bigint default 10000)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_nonces bigint;
  v_ended bigint;
  v_deleted bigint;
begin
  with expired as (
    select n.nonce from app_private.nonce n where n.expires_at <= pg_catalog.now()
    order by n.expires_at limit expire_access.batch_size for update skip locked
  )
  delete from app_private.nonce n using expired where n.nonce = expired.nonce;
  get diagnostics v_nonces = row_count;
  with expired as (
    select s.id from app_public.session s
    where s.ended_at is null and s.expires_at <= pg_catalog.now()
    order by s.expires_at limit expire_access.batch_size for update skip locked
  )
  update app_public.session s set ended_at = s.expires_at from expired where s.id = expired.id;
  get diagnostics v_ended = row_count;
  with old as (
    select s.id from app_public.session s
    where s.ended_at is not null and s.ended_at < pg_catalog.now() - interval '30 days'
    order by s.ended_at limit expire_access.batch_size for update skip locked
  )
  delete from app_public.session s using old where s.id = old.id;
  get diagnostics v_deleted = row_count;
  return pg_catalog.jsonb_build_object(
    'nonces', v_nonces, 'sessions_ended', v_ended, 'sessions_deleted', v_deleted);
end
$$;

comment on function app_private.expire_access(bigint) is
  'Ends and deletes what has expired of challenges and sessions; how many of each.';
