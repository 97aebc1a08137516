/*
 * Notes each change of a row of a partition that is being removed. Its images are logged without
 * holding anybody up; what changes while they are is made up for when the partition goes, under its
 * lock. Who changed a row is noted to see later whether the images were taken before or after.
 *
 * The trigger's argument is the partition: its own partitions, where it has some, fire it.
 */
create or replace function millrace.tg_partition__note_change()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op in ('UPDATE', 'DELETE') then
    insert into millrace.partition_change (partition, changed_by, sign, image)
      values (tg_argv[0]::oid, pg_current_xact_id(), -1, to_jsonb(old));
  end if;
  if tg_op in ('UPDATE', 'INSERT') then
    insert into millrace.partition_change (partition, changed_by, sign, image)
      values (tg_argv[0]::oid, pg_current_xact_id(), 1, to_jsonb(new));
  end if;
  return null;
end
$$;

revoke all on function millrace.tg_partition__note_change() from public;

comment on function millrace.tg_partition__note_change() is
  'Notes changes of a partition that is being removed.';
