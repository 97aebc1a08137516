/*
 * millrace.run_now for the operator: done when it returns. The operator's statements end after 30
 * seconds: what would take longer is cancelled and loses nothing; the ticker goes on with it.
 */
create or replace function app_operator.run_now(name text)
  returns app_operator.derivation
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_derivation app_operator.derivation;
begin
  perform millrace.run_now(run_now.name);
  select d.* into v_derivation from app_operator.derivation d where d.name = run_now.name;
  return v_derivation;
end
$$;

comment on function app_operator.run_now(text) is
  'Brings a derivation up to date at once. MR012 for an unknown name, MR015 for a paused one.';

grant execute on function app_operator.run_now(text) to app_operator;
