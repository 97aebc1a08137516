/*
 * Whether policies of a table look into other tables: these have policies of their own, which count
 * for whoever reads, so such a policy must be evaluated with the reader's rights.
 */
create or replace function millrace.policies_read_others(relation regclass)
  returns boolean
  language sql
  stable
  set search_path to ''
return exists (
  select
  from pg_catalog.pg_class c
  join pg_catalog.pg_policy p on p.polrelid = c.oid
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
    and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid <> p.polrelid
  where c.oid = policies_read_others.relation and c.relrowsecurity
);

comment on function millrace.policies_read_others(regclass) is
  'Whether policies of a table look into other tables.';
