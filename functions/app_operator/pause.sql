/*
 * millrace.pause for the operator.
 */
create or replace function app_operator.pause(name text)
  returns app_operator.derivation
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_derivation app_operator.derivation;
begin
  perform millrace.pause(pause.name);
  select d.* into v_derivation from app_operator.derivation d where d.name = pause.name;
  return v_derivation;
end
$$;

comment on function app_operator.pause(text) is
  'Stops keeping a derivation until it is resumed; exact reads recount meanwhile. MR012 for an '
  'unknown name.';

grant execute on function app_operator.pause(text) to app_operator;
