/*
 * Tells each webhook of an alert: one delivery and one job for it, in the same transaction. A job
 * is tried ten times, over three and a half hours.
 */
create or replace function app_private.queue_deliveries(alert_id bigint, event text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_delivery bigint;
begin
  for v_delivery in
    insert into app_operator.alert_delivery as d (webhook_id, alert_id, event)
    select w.id, queue_deliveries.alert_id, queue_deliveries.event
    from app_operator.webhook w
    where w.is_enabled
    returning d.id
  loop
    perform millrace.add_job('deliver_alert', jsonb_build_object('delivery', v_delivery),
      v_delivery::text, max_attempts => 10);
  end loop;
end
$$;

comment on function app_private.queue_deliveries(bigint, text) is
  'Makes a delivery, and a job for it, for each webhook.';
