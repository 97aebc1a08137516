/*
 * Only members of the role that owns the engine declare: what they write runs with its rights.
 */
create or replace function millrace.check_declarer()
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
begin
  if not pg_has_role(current_user, millrace.owner(), 'member') then
    raise exception 'Only % may declare', millrace.owner() using
      errcode = 'MR014',
      detail = format('The engine belongs to %s; %s is no member of it.',
        millrace.owner(), current_user),
      hint = format('set role %s; or grant it to %s.', millrace.owner(), current_user);
  end if;
end
$$;

comment on function millrace.check_declarer() is
  'Refuses whoever is not a member of the engine''s owner: MR014.';
