/*
 * Adds a webhook and makes its secret, which is returned this once: a secret is never an argument,
 * so that none gets into a log of requests.
 */
create or replace function app_operator.add_webhook(url text)
  returns app_operator.new_webhook
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_webhook app_operator.new_webhook;
begin
  if add_webhook.url !~ '^https?://[^[:space:]/]+[^[:space:]]*$'
    or char_length(add_webhook.url) > 2000
  then
    raise exception 'This is no address to send to' using
      errcode = 'OP028',
      detail = format('url %L', left(add_webhook.url, 200)),
      hint = 'https://host/path, at most 2,000 characters.';
  end if;
  insert into app_operator.webhook as w (url, secret)
    values (
      add_webhook.url,
      -- two random uuids: 244 bits of the server's strong random source
      pg_catalog.replace(
        pg_catalog.gen_random_uuid()::text || pg_catalog.gen_random_uuid()::text, '-', ''))
    on conflict on constraint webhook_url_key do nothing
    returning w.id, w.url, w.secret into v_webhook;
  if not found then
    raise exception 'This address is told already' using
      errcode = 'OP029',
      detail = format('url %L', add_webhook.url),
      hint = 'Remove it first to get another secret.';
  end if;
  return v_webhook;
end
$$;

comment on function app_operator.add_webhook(text) is
  'Adds an address that alerts are sent to; returns the secret that signs them, this once. OP028 '
  'for no address, OP029 for one that is there.';

grant execute on function app_operator.add_webhook(text) to app_operator;
