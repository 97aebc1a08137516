import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/*
 * Where the time of a run goes: processor time of the server's processes by what they do, the drains,
 * the logs, the statements. Processor time says more than throughput on a machine that does other
 * things too; it is read from /proc, so only of a server on the same Linux machine.
 */

export interface RunProfile {
  /** Processor time per vote in microseconds, by kind of process; null where it cannot be read. */
  cpuMicroseconds: Record<string, number> | null;
  drains: {
    count: number;
    rows: number;
    /** Milliseconds. */
    median: number;
    longest: number;
    microsecondsPerRow: number;
  };
  logs: { log: string; bytes: number; pending: number; deadTuples: number }[];
  /** The statements that took the most time; empty without pg_stat_statements. */
  statements: { query: string; calls: number; meanMs: number; totalMs: number }[];
}

/**
 * Watches the measured window of a run that begins now. The result, given the votes of the run, is
 * its profile.
 */
export async function profileRun(
  client: pg.Client,
  { warmUpMs, measureMs }: { warmUpMs: number; measureMs: number },
): Promise<(votes: number) => RunProfile> {
  const hasStatements = await client.query(
    `select from pg_settings where name = 'shared_preload_libraries'
       and setting ~ 'pg_stat_statements'`,
  );
  if (hasStatements.rowCount)
    await client.query('create extension if not exists pg_stat_statements');
  await sleep(warmUpMs);
  if (hasStatements.rowCount) await client.query('select pg_stat_statements_reset()');
  const before = await processorTimes(client);
  const { rows: began } = await client.query<{ now: string }>(
    'select clock_timestamp()::text as now',
  );
  await sleep(measureMs);
  const after = await processorTimes(client);
  const drains = await client.query<RunProfile['drains']>(
    `select count(*)::integer as count, coalesce(sum(rows), 0)::float as rows,
       coalesce(percentile_cont(0.5) within group (order by ms), 0)::float as median,
       coalesce(max(ms), 0)::float as longest,
       coalesce(1000 * sum(ms) / nullif(sum(rows), 0), 0)::float as "microsecondsPerRow"
     from (
       select r.rows, 1000 * extract(epoch from r.finished_at - r.started_at) as ms
       from millrace.run_log r where r.kind = 'drain' and r.started_at >= $1
     ) d`,
    [began[0]?.now],
  );
  const logs = await client.query<RunProfile['logs'][number]>(
    `select s.log::text, pg_total_relation_size(s.log)::float as bytes, p.rows::float as pending,
       pg_stat_get_dead_tuples(s.log)::float as "deadTuples"
     from millrace.source s cross join lateral millrace.pending_rows(s.log) p order by 1`,
  );
  const statements = hasStatements.rowCount
    ? await client.query<RunProfile['statements'][number]>(
        `select regexp_replace(left(query, 200), '\\s+', ' ', 'g') as query, calls::float,
           mean_exec_time as "meanMs", total_exec_time as "totalMs"
         from pg_stat_statements s join pg_database d on d.oid = s.dbid
         where d.datname = current_database() order by total_exec_time desc limit 8`,
      )
    : { rows: [] };
  return (votes) => ({
    cpuMicroseconds: before && after ? difference(before, after, votes) : null,
    drains: drains.rows[0] as RunProfile['drains'],
    logs: logs.rows,
    statements: statements.rows,
  });
}

export type ProcessorTimes = Map<number, { kind: string; nanoseconds: number }>;

/** Nanoseconds on a processor of each process of the server (/proc/<pid>/schedstat, first field). */
export async function processorTimes(client: pg.Client): Promise<ProcessorTimes | null> {
  const { rows } = await client.query<{ pid: number; kind: string }>(
    `select pid, case when backend_type = 'client backend' then coalesce(nullif(application_name, ''), 'other')
       else backend_type end as kind
     from pg_stat_activity
     where backend_type <> 'client backend' or datname = current_database()`,
  );
  const times: ProcessorTimes = new Map();
  for (const { pid, kind } of rows) {
    const stat = await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => null);
    if (stat !== null) times.set(pid, { kind, nanoseconds: Number(stat.split(' ')[0]) });
  }
  return times.size > 0 ? times : null;
}

function difference(
  before: ProcessorTimes,
  after: ProcessorTimes,
  votes: number,
): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const [pid, { kind, nanoseconds }] of after) {
    const spent = (nanoseconds - (before.get(pid)?.nanoseconds ?? nanoseconds)) / 1000 / votes;
    kinds[kind] = (kinds[kind] ?? 0) + spent;
  }
  return Object.fromEntries(
    Object.entries(kinds)
      .filter(([, spent]) => spent >= 0.05)
      .sort(([, a], [, b]) => b - a),
  );
}
