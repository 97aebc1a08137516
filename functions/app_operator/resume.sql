/*
 * millrace.resume for the operator.
 */
create or replace function app_operator.resume(name text)
  returns app_operator.derivation
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_derivation app_operator.derivation;
begin
  perform millrace.resume(resume.name);
  select d.* into v_derivation from app_operator.derivation d where d.name = resume.name;
  return v_derivation;
end
$$;

comment on function app_operator.resume(text) is
  'Keeps a paused or failed derivation again. MR012 for an unknown name.';

grant execute on function app_operator.resume(text) to app_operator;
