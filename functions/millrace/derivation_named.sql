/*
 * The derivation of that name, so that a misspelt one is an error and not a silent nothing.
 */
create or replace function millrace.derivation_named(name text)
  returns millrace.derivation
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
begin
  select d.* into v_d from millrace.derivation d where d.name = derivation_named.name;
  if not found then
    raise exception 'There is no derivation %', coalesce(derivation_named.name, 'null') using
      errcode = 'MR012',
      detail = 'Counters are named schema.table.column, relations schema.relation, as declared.',
      hint = 'select name from millrace.status lists them.';
  end if;
  return v_d;
end
$$;

comment on function millrace.derivation_named(text) is
  'The derivation of that name; MR012 if there is none.';
