/*
 * What a delivery sends, to where, and the secret that signs it; null when it has been delivered,
 * or nobody is to be told any more.
 */
create or replace function app_private.delivery_request(delivery bigint)
  returns table (url text, secret text, body jsonb)
  language sql
  stable
  set search_path to ''
begin atomic
  select w.url, w.secret, jsonb_build_object(
    'delivery', d.id,
    'event', d.event,
    'alert', a.id,
    'rule', r.name,
    'description', r.description,
    'unit', r.unit,
    'threshold', r.threshold,
    'value', case d.event when 'firing' then a.value else a.last_value end,
    'worstValue', a.worst_value,
    'detail', a.detail,
    'firedAt', a.fired_at,
    'resolvedAt', a.resolved_at
  )
  from app_operator.alert_delivery d
  join app_operator.webhook w on w.id = d.webhook_id
  join app_operator.alert a on a.id = d.alert_id
  join app_operator.alert_rule r on r.name = a.rule_name
  where d.id = delivery_request.delivery and d.state <> 'delivered' and w.is_enabled;
end;

comment on function app_private.delivery_request(bigint) is
  'Address, secret and body of a delivery; no row when there is nothing to be sent.';
