/*
 * The columns of a distinct counter's members in generated SQL: member_1, member_2, ...
 */
create or replace function millrace.member_names(derivation millrace.derivation)
  returns name[]
  language sql
  immutable
  set search_path to ''
return array(
  select ('member_' || m.position)::name
  from unnest((member_names.derivation).members) with ordinality m(name, position)
  order by m.position
);

comment on function millrace.member_names(millrace.derivation) is
  'member_1, member_2, ... for the columns by which a distinct counter counts.';
