import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';

/** The longest that a backend was seen waiting for a lock, and for whom. */
export interface Wait {
  ms: number;
  lock: string;
  statement: string;
  blockers: string[];
}

/**
 * Looks every 10 ms at who waits for a lock among the backends of one application name. The client
 * must see other sessions' statements (pg_read_all_stats or superuser).
 */
export function startWaitSampler(client: pg.Client, application: string) {
  let stopped = false;
  let longest: Wait | null = null;
  let looks = 0;
  const running = (async () => {
    while (!stopped) {
      const { rows } = await client.query<Wait>(
        `select
          extract(epoch from clock_timestamp() - l.waitstart)::float8 * 1000 as ms,
          concat_ws(' ', l.locktype, l.mode, l.relation::regclass) as lock,
          a.query as statement,
          array(
            select concat_ws(' ', b.application_name, '/', b.state, b.query)
            from unnest(pg_blocking_pids(a.pid)) p (pid)
            join pg_stat_activity b on b.pid = p.pid
          ) as blockers
        from pg_stat_activity a
        join pg_locks l on l.pid = a.pid and not l.granted
        where a.datname = current_database() and a.application_name = $1
          and a.wait_event_type = 'Lock'`,
        [application],
      );
      looks += 1;
      for (const row of rows) {
        if (row.ms !== null && row.ms > (longest?.ms ?? 0)) longest = row;
      }
      await pause(10);
    }
  })();
  return {
    /** The longest since the last call. */
    take(): Wait | null {
      const taken = longest;
      longest = null;
      return taken;
    },
    async stop(): Promise<number> {
      stopped = true;
      await running;
      await client.end();
      return looks;
    },
  };
}
