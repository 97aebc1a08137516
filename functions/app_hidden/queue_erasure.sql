/*
 * Adds the job that erases what a deleted account has left behind and a request is too short for:
 * its telemetry, which may be millions of rows. Called by delete_account, in whose transaction the
 * job comes into being or does not. Runs as its owner, because API roles add no jobs; it names the
 * account of the request, and the job erases nothing of one that is not deleted.
 */
create or replace function app_hidden.queue_erasure()
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.current_account_id();
begin
  perform millrace.add_job('erase_telemetry',
    jsonb_build_object('accountId', v_account_id::text), v_account_id::text);
end
$$;

comment on function app_hidden.queue_erasure() is
  'Adds the job that erases the telemetry of the account of the request once it is deleted.';

grant execute on function app_hidden.queue_erasure()
  to app_anonymous, app_account, app_moderator;
