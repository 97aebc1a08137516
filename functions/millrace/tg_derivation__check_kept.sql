/*
 * A counter that holds what rows of removed partitions contributed cannot become another one: those
 * rows are not there to be counted by another filter or key. Nor can a derived relation that keeps
 * rows get another key. Declared again as they were, they take over what is kept.
 */
create or replace function millrace.tg_derivation__check_kept()
  returns trigger
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_kept millrace.partition_kept;
begin
  select k.* into v_kept from millrace.partition_kept k where k.name = new.name;
  if v_kept.kind <> new.kind or exists (
    select from jsonb_each(v_kept.arguments) a
    where new.arguments -> a.key is distinct from a.value
  ) then
    raise exception '% keeps what is made of rows that are gone', new.name using
      errcode = 'MR048',
      detail = format('It is made of rows of %s removed partitions of %s, by %s.',
        v_kept.partitions, v_kept.relation, v_kept.arguments),
      hint = format('Declare another column or relation, or give up what is kept: '
        'select millrace.partition_forget(%L);', new.name);
  end if;
  return new;
end
$$;

create or replace trigger _300_check_kept
  before insert on millrace.derivation
  for each row execute function millrace.tg_derivation__check_kept();

comment on function millrace.tg_derivation__check_kept() is
  'Refuses to declare a counter anew that keeps contributions of removed partitions: MR048.';
