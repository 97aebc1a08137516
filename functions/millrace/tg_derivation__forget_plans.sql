/*
 * Forgets the generated drain functions when what they were made from has changed.
 */
create or replace function millrace.tg_derivation__forget_plans()
  returns trigger
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  perform millrace.forget_plans();
  return null;
end
$$;

create or replace trigger _900_forget_plans
  after insert or delete or update of state, notifies on millrace.derivation
  for each statement execute function millrace.tg_derivation__forget_plans();

comment on function millrace.tg_derivation__forget_plans() is
  'Forgets the generated drain functions.';
