/*
 * Sends a dead delivery again, with ten more attempts.
 */
create or replace function app_operator.retry_delivery(id bigint)
  returns app_operator.alert_delivery
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_delivery app_operator.alert_delivery;
begin
  update app_operator.alert_delivery d set state = 'pending'
    where d.id = retry_delivery.id and d.state = 'dead'
    returning d.* into v_delivery;
  if not found then
    raise exception 'There is no such dead delivery' using
      errcode = 'OP031',
      detail = format('delivery %s', retry_delivery.id),
      hint = 'alertDeliveries shows which are dead; pending ones are tried by themselves.';
  end if;
  perform millrace.add_job('deliver_alert', jsonb_build_object('delivery', v_delivery.id),
    v_delivery.id::text, max_attempts => 10);
  return v_delivery;
end
$$;

comment on function app_operator.retry_delivery(bigint) is
  'Sends a dead delivery again. OP031 when it is not dead.';

grant execute on function app_operator.retry_delivery(bigint) to app_operator;
