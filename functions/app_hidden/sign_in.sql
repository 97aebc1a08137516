/*
 * Opens a session for the address that the host has found to have signed the challenge: the setting
 * app.proven_address, which the host alone sets, as it does app.account_id.
 *
 * The challenge is deleted by the statement that finds it, so that of two requests with the same
 * one the later waits for the earlier and finds nothing. An address that signs in for the first
 * time gets an account; two first times at once take turns by an advisory lock.
 *
 * A guest who signs in becomes that account: a new one is the guest's own, and an older one takes
 * over what the guest has (app_private.merge_guest). A suspended guest stays what they are: nobody
 * leaves a suspension by signing in.
 */
create or replace function app_hidden.sign_in(nonce text, device_name text default '')
  returns app_hidden.signed_in
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_address constant text :=
    nullif(pg_catalog.current_setting('app.proven_address', true), '');
  v_guest_id bigint;
  v_expires_at timestamptz;
  v_account_id bigint;
  v_is_new boolean := false;
  v_session app_public.session;
begin
  if v_address is null then
    raise exception 'Nothing was signed' using
      errcode = 'AC013',
      detail = 'The request carries no verified address.',
      hint = 'Use the mutation signIn of the API, which verifies the signature.';
  end if;
  delete from app_private.nonce n
    where n.nonce = sign_in.nonce and n.address = v_address and n.purpose = 'sign_in'
    returning n.expires_at into v_expires_at;
  if not found or v_expires_at <= pg_catalog.now() then
    raise exception 'This challenge cannot be used' using
      errcode = 'AC011',
      detail = pg_catalog.format('nonce %s of %s', pg_catalog.left(sign_in.nonce, 64), v_address),
      hint = 'It was used already, has expired or is another address''s: request a new nonce.';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(v_address, 4713));
  select a.id into v_guest_id from app_public.account a
    where a.id = app_hidden.current_account_id() and a.is_guest
      and a.deleted_at is null and a.suspended_at is null
    for update;
  select d.account_id into v_account_id from app_private.account_address d
    where d.address = v_address;
  if not found then
    v_is_new := true;
    if v_guest_id is not null then
      update app_public.account a set is_guest = false where a.id = v_guest_id;
      update app_public.session s set ended_at = now()
        where s.account_id = v_guest_id and s.ended_at is null;
      v_account_id := v_guest_id;
    else
      insert into app_public.account default values returning id into v_account_id;
    end if;
    insert into app_private.account_address (address, account_id)
      values (v_address, v_account_id);
  elsif v_guest_id is not null then
    perform app_private.merge_guest(v_guest_id, v_account_id);
  end if;
  v_session := app_private.open_session(v_account_id, sign_in.device_name, interval '30 days');
  return app_private.signed_in_of(v_session, v_is_new);
end
$$;

comment on function app_hidden.sign_in(text, text) is
  'Opens a session for the address that the host has verified; AC011, AC013 or AC016 otherwise.';

grant execute on function app_hidden.sign_in(text, text)
  to app_anonymous, app_account, app_moderator;
