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
  /** Who held it up; null for a backend that nobody opened or registered. */
  blockers: (Role | null)[];
  /** Each declaration behind which it was seen, twice in a row. */
  declarations: string[];
  /** What else a connection for maintenance did that held it up, seen twice in a row. */
  otherwise: string[];
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
   * Waits of a writer for a lock on a log: must be none, but behind one declaration whose statement
   * is running, and which locks the tables that it reads and their logs for the time of some DDL.
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
  blockers: { pid: number; activity: string; declares: boolean }[];
}

/** What a declaration of a history begins with: how the sampler knows it. */
export const DECLARES = '/* declares */';

export interface Sampler {
  /** How often it has looked. */
  samples(): number;
  stop(): Promise<WaitReport>;
}

/**
 * Looks every 10 ms who waits for which lock and who holds it. `pg_blocking_pids` is asked for the
 * backends that wait only: it stops the lock manager for a moment.
 */
export function startSampler(sessions: Sessions): Sampler {
  const session = sessions.open('sampler');
  const seen = new Map<string, Wait>();
  const activities = new Map<string, Set<string>>();
  let samples = 0;
  let stopped = false;

  const running = (async () => {
    while (!stopped) {
      try {
        const client = await session.client();
        const { rows } = await client.query<Sample>(`
          select l.pid, l.waitstart::text as since,
            extract(epoch from clock_timestamp() - l.waitstart)::float8 * 1000 as ms,
            coalesce(substring(a.query from '^/\\* (.*?) \\*/'), a.query) as tag,
            l.locktype as lock, l.mode, l.relation::regclass::text as relation,
            k.blockers, concat(left(a.query, 200), ' <- ', k.doing) as doing
          from pg_locks l
          join pg_stat_activity a on a.pid = l.pid
          cross join lateral (
            select
              coalesce(jsonb_agg(jsonb_build_object(
                'pid', p.pid,
                'activity', concat_ws(' ', p.pid, b.state, b.state_change, left(b.query, 100)),
                'declares', b.state = 'active' and starts_with(b.query, '${DECLARES}')
              )), '[]') as blockers,
              string_agg(concat_ws(' ', b.application_name, b.state, b.wait_event,
                left(b.query, 100)), '; ') as doing
            from unnest(pg_blocking_pids(l.pid)) p (pid)
            left join pg_stat_activity b on b.pid = p.pid
          ) k
          -- for a moment a wait has no start yet: it would be told from itself the next time; and a
          -- statement that began after the wait is another one, as activities are read later
          where not l.granted and l.waitstart >= a.query_start
            and a.datname = current_database()`);
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
    const name = `${pid} ${since}`;
    const before = seen.get(name);
    const last = activities.get(name) ?? new Set();
    // Who waits and what others do are not read in the same moment: what was there in the sample
    // before as well has been there all the time between.
    const lasting = blockers.filter(
      (it) => sessions.roleOf(it.pid) === 'maintenance' && last.has(it.activity),
    );
    activities.set(name, new Set(blockers.map(({ activity }) => activity)));
    const merged = <T>(old: T[] | undefined, found: T[]) => [
      ...new Set([...(old ?? []), ...found]),
    ];
    const done = (declares: boolean) =>
      lasting.filter((it) => it.declares === declares).map(({ activity }) => activity);
    seen.set(name, {
      role,
      ...sample,
      blockers: merged(
        before?.blockers,
        blockers.map((it) => sessions.roleOf(it.pid) ?? null),
      ),
      declarations: merged(before?.declarations, done(true)),
      otherwise: merged(before?.otherwise, done(false)),
    });
  }

  return {
    samples: () => samples,
    async stop() {
      stopped = true;
      await running;
      await session.reset();
      const waits = [...seen.values()];
      const writers = waits.filter(({ role }) => role === 'writer');
      const onLog = writers.filter(({ relation }) => relation?.startsWith('millrace_log.'));
      const forEngine = writers.filter(
        ({ blockers, lock }) =>
          lock !== 'extend' && blockers.some((it) => it !== null && ENGINE_ROLES.has(it)),
      );
      return {
        samples,
        waits,
        votersForEngine: forEngine.filter(({ tag }) => VOTER_TAGS.has(tag)),
        othersForEngine: forEngine.filter(({ tag }) => !VOTER_TAGS.has(tag)),
        onLogs: onLog.filter(
          (it) =>
            it.lock !== 'extend' &&
            (it.blockers.some((blocker) => blocker !== 'maintenance') ||
              it.otherwise.length > 0 ||
              it.declarations.length > 1),
        ),
        toExtendLogs: onLog.filter(({ lock }) => lock === 'extend'),
      };
    },
  };
}
