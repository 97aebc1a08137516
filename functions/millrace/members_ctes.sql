/*
 * The names of the common table expressions that members_sql makes.
 */
create or replace function millrace.members_ctes(derivation millrace.derivation)
  returns text[]
  language sql
  stable
  set search_path to ''
return array(
  select quote_ident(millrace.generated_name((members_ctes.derivation).target,
    '__' || (members_ctes.derivation).target_column || c.suffix))
  from (values ('__gone'), ('__moved'), ('__added')) c(suffix)
);

comment on function millrace.members_ctes(millrace.derivation) is
  'The names of the common table expressions that write the members of a distinct counter.';
