/*
 * Removes a webhook, with its deliveries.
 */
create or replace function app_operator.remove_webhook(id bigint)
  returns boolean
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
begin
  delete from app_operator.webhook w where w.id = remove_webhook.id;
  if not found then
    raise exception 'There is no such webhook' using
      errcode = 'OP030',
      detail = format('webhook %s', remove_webhook.id),
      hint = 'webhooks lists them.';
  end if;
  return true;
end
$$;

comment on function app_operator.remove_webhook(bigint) is
  'Removes a webhook and its deliveries. OP030 for an unknown one.';

grant execute on function app_operator.remove_webhook(bigint) to app_operator;
