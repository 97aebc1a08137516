/*
 * The relation of that name, or null. to_regclass of itself raises an error for what is no name at
 * all, and for which text differs between versions of Postgres.
 */
create or replace function millrace.named(name text)
  returns regclass
  language plpgsql
  stable
  set search_path to ''
as $$
begin
  return to_regclass(named.name);
exception
  when syntax_error or invalid_name or feature_not_supported then
    return null;
end
$$;

comment on function millrace.named(text) is 'The relation of that name, or null.';
