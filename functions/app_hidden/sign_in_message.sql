/*
 * The text that is signed: it names what it is for, so that nobody can be led to sign in by being
 * asked to sign something else. scripts/lib/sign-in.ts builds the same one.
 */
create or replace function app_hidden.sign_in_message(address text, nonce text)
  returns text
  language sql
  immutable
  parallel safe
  security invoker
return 'millrace-api: sign in' || e'\n' || 'Address: ' || sign_in_message.address || e'\n'
  || 'Nonce: ' || sign_in_message.nonce;

comment on function app_hidden.sign_in_message(text, text) is
  'What the holder of an address signs in order to sign in.';

grant execute on function app_hidden.sign_in_message(text, text)
  to app_anonymous, app_account, app_moderator;
