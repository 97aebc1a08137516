/*
 * Refuses to take away a derived relation that other derivations read: they would lose their
 * source.
 */
create or replace function millrace.check_unread(target regclass)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_readers constant text := (
    select string_agg(distinct d.name, ', ')
    from millrace.derivation d
    where d.target is distinct from check_unread.target and (
      exists (
        select from millrace.reading r
        where r.id = d.id and r.relation = check_unread.target)
      or exists (
        select from millrace.dependency u
        where u.derivation = d.id and u.upstream = check_unread.target)
    )
  );
begin
  if v_readers is not null then
    raise exception '% is read by other derivations', check_unread.target using
      errcode = 'MR031',
      detail = v_readers,
      hint = 'Drop those first, and declare them again afterwards.';
  end if;
end
$$;

comment on function millrace.check_unread(regclass) is
  'Refuses to take away a derived relation that other derivations read: MR031.';
