/*
 * millrace.status for the operator, who may read neither logs nor work tables.
 */
create or replace function app_private.derivation_status()
  returns setof millrace.status
  language sql
  stable
  security definer
  set search_path to ''
begin atomic
  select s.* from millrace.status s;
end;

comment on function app_private.derivation_status() is 'millrace.status, for the operator.';

grant execute on function app_private.derivation_status() to app_operator;
