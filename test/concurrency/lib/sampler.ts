import { setTimeout as pause } from 'node:timers/promises';
import { VOTER_TAGS } from './operations.ts';
import { ENGINE_ROLES, isDisconnect, type Role, type Sessions } from './session.ts';

/** One wait of one backend for one lock, as sampled. */
export interface Wait {
  role: Role;
  tag: string;
  lock: string;
  mode: string;
  relation: string | null;
  blockers: Role[];
  /** What the waiting statement is, and what those that hold it up do. */
  doing: string;
  /** Milliseconds from its begin to the last sample that saw it. */
  ms: number;
}

export interface WaitReport {
  samples: number;
  waits: Wait[];
  /** Waits of a voter for a backend that drains, ticks or reconciles: must be none. */
  votersForEngine: Wait[];
  /**
   * Waits of a writer for a lock on a log: must be none, but for a declaration, which locks the
   * tables that it reads and their logs for the time of some DDL.
   */
  onLogs: Wait[];
  /** Waits of other writers (moderations, deletions, truncates) for such a backend. */
  othersForEngine: Wait[];
  /** Waits to extend a log's file: the append itself, which writers do one after the other. */
  toExtendLogs: Wait[];
}

interface Sample {
  pid: number;
  since: string;
  ms: number;
  tag: string;
  lock: string;
  mode: string;
  relation: string | null;
  doing: string;
  blockers: number[];
}

/**
 * Looks every 10 ms who waits for which lock and who holds it. `pg_blocking_pids` is asked for the
 * backends that wait only: it stops the lock manager for a moment.
 */
export function startSampler(sessions: Sessions): { stop(): Promise<WaitReport> } {
  const session = sessions.open('sampler');
  const seen = new Map<string, Wait>();
  let samples = 0;
  let stopped = false;

  const running = (async () => {
    while (!stopped) {
      try {
        const client = await session.client();
        const { rows } = await client.query<Sample>(`
          select l.pid, coalesce(l.waitstart, a.query_start)::text as since,
            extract(epoch from clock_timestamp() - coalesce(l.waitstart, a.query_start))::float8 * 1000
              as ms,
            coalesce(substring(a.query from '^/\\* (.*?) \\*/'), a.query) as tag,
            l.locktype as lock, l.mode, l.relation::regclass::text as relation,
            pg_blocking_pids(l.pid) as blockers,
            concat(left(a.query, 200), ' <- ', (
              select string_agg(concat_ws(' ', b.state, b.wait_event, left(b.query, 100)), '; ')
              from pg_stat_activity b where b.pid = any (pg_blocking_pids(l.pid))
            )) as doing
          from pg_locks l
          join pg_stat_activity a on a.pid = l.pid
          where not l.granted and a.datname = current_database()`);
        samples += 1;
        for (const row of rows) record(row);
        const { rows: workers } = await client.query<{ pid: number }>(
          `select a.pid from pg_stat_activity a
          where a.datname = current_database() and a.application_name = 'millrace worker'`,
        );
        for (const { pid } of workers) sessions.register(pid, 'job');
      } catch (error) {
        if (!isDisconnect(error)) throw error;
        await session.reset();
      }
      await pause(10);
    }
  })();

  function record({ pid, since, blockers, ...sample }: Sample): void {
    const role = sessions.roleOf(pid);
    if (!role) return;
    const before = seen.get(`${pid} ${since}`);
    const names = blockers.flatMap((blocker) => sessions.roleOf(blocker) ?? []);
    seen.set(`${pid} ${since}`, {
      role,
      ...sample,
      blockers: [...new Set([...(before?.blockers ?? []), ...names])],
    });
  }

  return {
    async stop() {
      stopped = true;
      await running;
      await session.reset();
      const waits = [...seen.values()];
      const writers = waits.filter(({ role }) => role === 'writer');
      const onLog = writers.filter(({ relation }) => relation?.startsWith('millrace_log.'));
      const forEngine = writers.filter(
        ({ blockers, lock }) =>
          lock !== 'extend' && blockers.some((blocker) => ENGINE_ROLES.has(blocker)),
      );
      return {
        samples,
        waits,
        votersForEngine: forEngine.filter(({ tag }) => VOTER_TAGS.has(tag)),
        othersForEngine: forEngine.filter(({ tag }) => !VOTER_TAGS.has(tag)),
        onLogs: onLog.filter(
          ({ lock, blockers }) =>
            lock !== 'extend' &&
            !(blockers.length > 0 && blockers.every((blocker) => blocker === 'maintenance')),
        ),
        toExtendLogs: onLog.filter(({ lock }) => lock === 'extend'),
      };
    },
  };
}
