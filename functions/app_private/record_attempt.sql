/*
 * Notes how an attempt at a delivery ended; without an error it is delivered.
 */
create or replace function app_private.record_attempt(
  delivery bigint, status integer, error text, is_last boolean
)
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  update app_operator.alert_delivery d
    set attempts = d.attempts + 1,
      attempted_at = clock_timestamp(),
      last_status = record_attempt.status,
      last_error = left(record_attempt.error, 1000),
      delivered_at = case when record_attempt.error is null then clock_timestamp() end,
      state = case
        when record_attempt.error is null then 'delivered'
        when record_attempt.is_last then 'dead'
        else 'pending'
      end
    where d.id = record_attempt.delivery;
end;

comment on function app_private.record_attempt(bigint, integer, text, boolean) is
  'Notes how an attempt at a delivery ended: delivered without an error, dead after the last one.';
