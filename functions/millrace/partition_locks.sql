/*
 * Takes the locks that attaching or detaching a partition needs beside the share update exclusive
 * one on the table, which the caller has (it keeps upkeep, declarations and other schema changes
 * apart and stands in nobody else's way). Postgres would take them one after the other, waiting for
 * each while holding the others; whoever holds one that it waits for and wants one that it holds
 * would be in a deadlock with it.
 *
 * Here the first is waited for as long as is declared, while nothing is held that an application
 * waits for; each further one a tenth of a second at most, which is less than deadlock_timeout. Who
 * cannot have all of them gets lock_not_available and tries again later. So a statement of an
 * application waits for the declared time and some tenths of a second at most, and never in a
 * deadlock.
 *
 * Attaching needs the default partition, if there is one, and share row exclusive locks on the
 * tables that foreign keys of the table refer to or come from. Detaching needs the table itself.
 */
create or replace function millrace.partition_locks(
  relation regclass, patience interval, detached regclass default null
)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set lock_timeout to 0
as $$
declare
  v_lock record;
  v_patience interval := partition_locks.patience;
begin
  for v_lock in
    select l.relation, l.mode
    from (
      select 1 as position, partition_locks.relation, 'access exclusive' as mode
      where partition_locks.detached is not null
      union all
      select 2, partition_locks.detached, 'access exclusive'
      where partition_locks.detached is not null
      union all
      select 3, b.partition, 'access exclusive'
      from millrace.partition_bounds(partition_locks.relation) b
      where b.is_default
      union all
      select distinct 4,
        case when k.conrelid = partition_locks.relation then k.confrelid else k.conrelid end,
        case when k.conrelid <> partition_locks.relation and partition_locks.detached is not null
          then 'access exclusive' else 'share row exclusive' end
      from pg_catalog.pg_constraint k
      where k.contype = 'f' and partition_locks.relation in (k.conrelid, k.confrelid)
    ) l
    where l.position < 4
      or l.relation <> partition_locks.relation
        and has_table_privilege(l.relation, 'update, delete, truncate')
    order by l.position, l.relation
  loop
    perform set_config(
      'lock_timeout', (extract(epoch from v_patience) * 1000)::integer::text, true);
    execute format('lock table only %s in %s mode',
      millrace.qualified_name(v_lock.relation), v_lock.mode);
    v_patience := least(partition_locks.patience, interval '100 milliseconds');
  end loop;
end
$$;

comment on function millrace.partition_locks(regclass, interval, regclass) is
  'Takes the locks for attaching, or for detaching a partition, without ever waiting long while '
  'holding one; 55P03 if they are not to be had.';
