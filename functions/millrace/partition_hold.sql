/*
 * Holds derived relations still until the transaction ends: no job, pause or rebuild. It does not
 * wait, because the caller holds locks that others want.
 */
create or replace function millrace.partition_hold(relations bigint[])
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_id bigint;
begin
  foreach v_id in array coalesce(partition_hold.relations, '{}') loop
    if not millrace.try_lock_relation(v_id) then
      raise exception 'The job of a derived relation is at work' using
        errcode = 'lock_not_available',
        detail = format('It is %s.', (
          select d.name from millrace.derivation d where d.id = v_id)),
        hint = 'Try again.';
    end if;
    perform from millrace.derivation d
      where d.id = v_id and d.state = 'active' and d.kept
      for share skip locked;
    if not found then
      raise exception 'A derived relation is not kept up at present' using
        errcode = 'object_not_in_prerequisite_state',
        detail = (
          select format('The state of %s is %s.', d.name, d.state)
          from millrace.derivation d where d.id = v_id),
        hint = 'Try again when it is active.';
    end if;
  end loop;
end
$$;

comment on function millrace.partition_hold(bigint[]) is
  'Holds derived relations still, or fails at once.';
