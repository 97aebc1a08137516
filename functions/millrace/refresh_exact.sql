/*
 * Generates the exact read function of a counter, gives it to the roles that may read the target,
 * and sets the smart tags by which the API shows the exact value and orders by the stored one.
 */
create or replace function millrace.refresh_exact(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
  v_names record;
  v_signature text;
  v_existing regprocedure;
  v_comment text;
  v_grantee record;
begin
  select d.* into strict v_d from millrace.derivation d where d.name = refresh_exact.name;
  v_names := millrace.generated(v_d);
  v_signature := format('%s(%s)', v_names.exact, millrace.qualified_name(v_d.target));
  v_existing := to_regprocedure(v_signature);
  if v_existing is not null then
    if (select p.prosrc !~ 'millrace_log\.' from pg_catalog.pg_proc p where p.oid = v_existing) then
      raise exception 'There is already a function %', v_signature using
        errcode = 'MR013',
        detail = 'The engine generates the exact read of the counter under this name.',
        hint = 'Rename or drop that function, or give the counter another column.';
    end if;
    if (select format_type(p.prorettype, null) from pg_catalog.pg_proc p where p.oid = v_existing)
      <> (select format_type(a.atttypid, null) from pg_catalog.pg_attribute a
          where a.attrelid = v_d.target and a.attname = v_d.target_column)
    then
      execute format('drop function %s', v_signature);
    end if;
  end if;
  execute millrace.exact_sql(v_d);
  execute format('revoke all on function %s from public', v_signature);
  for v_grantee in
    select distinct
      case
        when x.grantee = 0 then 'public'
        else quote_ident(pg_get_userbyid(x.grantee))
      end as role_name
    from (
      select coalesce(c.relacl, acldefault('r', c.relowner)) as acl
      from pg_catalog.pg_class c where c.oid = v_d.target
      union all
      select a.attacl
      from pg_catalog.pg_attribute a
      where a.attrelid = v_d.target and a.attacl is not null
    ) acls
    cross join lateral aclexplode(acls.acl) x
    where x.privilege_type = 'SELECT'
  loop
    execute format('grant execute on function %s to %s', v_signature, v_grantee.role_name);
  end loop;
  v_comment := regexp_replace(
    coalesce(col_description(v_d.target, (
      select a.attnum from pg_catalog.pg_attribute a
      where a.attrelid = v_d.target and a.attname = v_d.target_column)), ''),
    '^@behavior -attribute:select\n?', '');
  execute format('comment on column %s.%I is %L',
    millrace.qualified_name(v_d.target),
    v_d.target_column,
    E'@behavior -attribute:select\n' || v_comment);
  execute format('comment on function %s is %L',
    v_signature, E'@behavior -filterBy -orderBy\n@notNull\n' || v_comment);
end
$$;

comment on function millrace.refresh_exact(text) is
  'Generates the exact read function of a counter.';
