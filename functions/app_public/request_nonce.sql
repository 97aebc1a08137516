/*
 * Makes a challenge for an address: what its holder signs in order to sign in. It is good for one
 * use, by that address alone, for five minutes. Anybody may ask, for any address: a challenge is
 * worth nothing without the private key.
 */
create or replace function app_public.request_nonce(address text)
  returns app_public.sign_in_challenge
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_nonce constant text := pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '');
  v_expires_at constant timestamptz := pg_catalog.now() + interval '5 minutes';
begin
  if (request_nonce.address ~ '^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$') is not true then
    raise exception 'This is no address' using
      errcode = 'AC012',
      detail = pg_catalog.format('address "%s"', pg_catalog.left(request_nonce.address, 100)),
      hint = 'Give an Ed25519 public key as did:key; it begins with did:key:z6Mk.';
  end if;
  insert into app_private.nonce (nonce, address, purpose, expires_at)
    values (v_nonce, request_nonce.address, 'sign_in', v_expires_at);
  return (
    v_nonce, app_hidden.sign_in_message(request_nonce.address, v_nonce), v_expires_at
  )::app_public.sign_in_challenge;
end
$$;

comment on function app_public.request_nonce(text) is
  'Makes a challenge for an address (a did:key) to sign, good for five minutes and one use.';

grant execute on function app_public.request_nonce(text)
  to app_anonymous, app_account, app_moderator;
