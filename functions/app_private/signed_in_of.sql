/*
 * What the host makes a token of: the session, and as whom it may act.
 */
create or replace function app_private.signed_in_of(session app_public.session, is_new boolean)
  returns app_hidden.signed_in
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_role constant text := case when exists (
    select from app_private.account_role r
    where r.account_id = (signed_in_of.session).account_id and r.role = 'moderator'
  ) then 'moderator' else 'account' end;
begin
  return (
    (signed_in_of.session).account_id, (signed_in_of.session).id, v_role,
    (signed_in_of.session).expires_at, signed_in_of.is_new
  )::app_hidden.signed_in;
end
$$;

comment on function app_private.signed_in_of(app_public.session, boolean) is
  'What a token of the session says.';
