import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/*
 * Who of those that vote waits for a lock of the analysis: looked for while both are at work. A lock
 * is the analysis' when a connection of the host holds it or is before the voter in its queue: the
 * lane that reads and publishes, its queue, the worker that brings lists up to date, the ticker.
 */

/** A voter that was seen waiting for a connection of the host. */
export interface VoterWait {
  /** Type and mode of the lock, and the relation it is on, if any. */
  lock: string;
  /** application_name of who holds the voter up, and the statement. */
  blocker: string;
  doing: string;
}

export interface WaitReport {
  /** How often was looked. */
  samples: number;
  /** How often of these a result was just being written: there was something to wait for. */
  whileWriting: number;
  /** One for each voter and look. */
  waits: VoterWait[];
}

export interface WaitSampler {
  /** What has been seen so far; grows. */
  readonly report: WaitReport;
  stop(): Promise<WaitReport>;
}

interface Sample extends VoterWait {
  writing: boolean;
  /** Null in the one row of a look that saw nobody wait. */
  pid: number | null;
}

/**
 * `pg_blocking_pids` is asked for those that wait only: it stops the lock manager for a moment. The
 * publishing transaction has written analysis_run from its first to its last statement.
 */
const LOOK = `
  select w.writing, v.pid, concat_ws(' ', l.locktype, l.mode, l.relation::regclass) as lock,
    b.application_name as blocker, left(b.query, 200) as doing
  from (
    select exists (
      select from pg_locks l
      where l.locktype = 'relation' and l.relation = 'app_public.analysis_run'::regclass
        and l.database = (select oid from pg_database where datname = current_database())
        and l.mode = 'RowExclusiveLock' and l.granted
    ) as writing
  ) w
  left join (
    pg_locks l
    join pg_stat_activity v on v.pid = l.pid and v.application_name = $1
      and v.datname = current_database()
    cross join lateral unnest(pg_blocking_pids(l.pid)) p(pid)
    join pg_stat_activity b on b.pid = p.pid and b.application_name like 'millrace %'
  ) on not l.granted`;

/**
 * Looks every `interval` milliseconds, on a connection of its own, at the voters: the connections
 * whose application_name is `voters`. The login has to see everybody's statements.
 */
export async function startWaitSampler(
  connectionString: string,
  voters: string,
  interval = 10,
): Promise<WaitSampler> {
  const client = new pg.Client({ connectionString, application_name: 'waits' });
  await client.connect();
  const report: WaitReport = { samples: 0, whileWriting: 0, waits: [] };
  let stopped = false;
  const sampling = (async () => {
    try {
      while (!stopped) {
        const { rows } = await client.query<Sample>({
          name: 'waits',
          text: LOOK,
          values: [voters],
        });
        report.samples += 1;
        if (rows[0]?.writing) report.whileWriting += 1;
        for (const { pid, lock, blocker, doing } of rows) {
          if (pid !== null) report.waits.push({ lock, blocker, doing });
        }
        await sleep(interval);
      }
    } finally {
      await client.end();
    }
  })();
  // Whoever stops the sampler is told; until then nobody listens.
  sampling.catch(() => undefined);
  return {
    report,
    async stop() {
      stopped = true;
      await sampling;
      return report;
    },
  };
}
