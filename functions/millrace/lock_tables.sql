/*
 * Locks tables that an application writes, for a declaration or its end: `shared` against writers
 * (share row exclusive), `exclusive` against readers too, because triggers are dropped from them or
 * columns added to them. `views`, which are to be replaced or dropped, come first, in the order in
 * which their readers come to them; Postgres has no lock of a view that does not take the tables
 * below it too, and none of a materialized view, but gives both an owner under the lock that is
 * needed, even the owner that they have.
 *
 * In short attempts, each of which gives back what it has got: who meets one waits for a tenth of a
 * second at most, however long somebody else's transaction keeps the engine from its lock, and
 * never ends as the victim of a deadlock, which Postgres looks for after deadlock_timeout only. All
 * tables are asked for here, in the strongest mode that is needed, so that nothing has to be waited
 * for while they are held.
 *
 * A vacuum started by autovacuum gives way to whoever has waited for deadlock_timeout: one attempt
 * waits a little longer than that where somebody holds the lock of a vacuum.
 *
 * Gives up after 20 seconds, or lock_timeout; at once in a transaction that has locked tables by an
 * earlier declaration, because waiting while others wait for those could be a deadlock.
 */
create or replace function millrace.lock_tables(
  shared regclass[], exclusive regclass[], views regclass[] default '{}'
)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_views text[];
  v_view text;
  v_locks text[];
  v_lock text;
  v_relations constant oid[] := lock_tables.shared || lock_tables.exclusive;
  v_timeout constant text := current_setting('lock_timeout');
  v_deadlock constant interval := current_setting('deadlock_timeout')::interval;
  v_started constant timestamptz := clock_timestamp();
  v_until timestamptz := v_started
    + coalesce(nullif(v_timeout::interval, interval '0'), interval '20 seconds');
  v_wait interval;
begin
  -- a log after its table, as a writer comes to them: who waited for the log would be in the
  -- table's way, and every attempt fail while somebody writes
  v_locks := array(
    select format('lock table %s in %s mode', millrace.qualified_name(c.oid),
      case when c.oid = any (lock_tables.exclusive) then 'access exclusive'
        else 'share row exclusive' end)
    from pg_catalog.pg_class c
    where c.oid = any (v_relations) and c.relkind <> 'm'
    order by c.relnamespace = 'millrace_log'::regnamespace, c.oid
  );
  v_views := array(
    select format('alter %s %s owner to %I',
      case c.relkind when 'm' then 'materialized view' else 'view' end,
      millrace.qualified_name(c.oid), pg_get_userbyid(c.relowner))
    from unnest(lock_tables.views || lock_tables.exclusive)
      with ordinality v(relation, position)
    join pg_catalog.pg_class c on c.oid = v.relation and c.relkind in ('v', 'm')
    order by v.position
  );
  if exists (
    select
    from pg_catalog.pg_locks l
    join millrace.stem s on s.relation = l.relation
    where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted
      and l.database = (
        select d.oid from pg_catalog.pg_database d where d.datname = current_database()
      )
      and l.mode in ('ShareRowExclusiveLock', 'AccessExclusiveLock')
  ) then
    v_until := v_started;
  end if;
  loop
    v_wait := case
      when exists (
        select
        from pg_catalog.pg_locks l
        where l.relation = any (v_relations) and l.locktype = 'relation' and l.granted
          and l.mode = 'ShareUpdateExclusiveLock' and l.pid <> pg_backend_pid()
      ) then v_deadlock * 1.2
      else least(interval '100 ms', v_deadlock / 4)
    end;
    begin
      perform set_config(
        'lock_timeout', round(extract(epoch from v_wait) * 1000) || 'ms', true);
      foreach v_view in array v_views loop
        execute v_view;
      end loop;
      foreach v_lock in array v_locks loop
        execute v_lock;
      end loop;
      perform set_config('lock_timeout', v_timeout, true);
      return;
    exception when lock_not_available or deadlock_detected then
      -- with the block its locks are undone, and its lock_timeout
      if clock_timestamp() >= v_until then
        raise exception 'Tables of the declaration are in use' using
          errcode = 'lock_not_available',
          detail = format('Tried for %s: %s.', clock_timestamp() - v_started,
            array_to_string(v_locks || v_views, ', ')),
          hint = 'A transaction that has written them, or read the engine''s views of them, is '
            'still open. Try again when it has ended; declare one by one.';
      end if;
    end;
    perform pg_sleep(0.02 + random() * 0.1);
  end loop;
end
$$;

comment on function millrace.lock_tables(regclass[], regclass[], regclass[]) is
  'Locks tables against writers, or readers too, in attempts that hold nobody up; 55P03 after 20 '
  'seconds.';
