import { Command } from 'commander';
import pg from 'pg';
import { runCommand } from './lib/cli.ts';
import { withDatabase } from './lib/database.ts';
import { findEngine, ownerConfig } from './lib/pg-owner.ts';

/*
 * `npm run status`: what the engine keeps, how far it is behind, and how far ahead partitions reach.
 */

interface Status {
  name: string;
  kind: string;
  /** incremental or refresh, for a derived relation. */
  strategy: string | null;
  state: string;
  pendingRows: number;
  /** Keys that wait for a job. */
  waitingKeys: number;
  /** Keys whose definition raises an error, or whose job has used up its attempts. */
  failedKeys: number;
  lagSeconds: number;
  lastReconciledAt: Date | null;
  lastError: string | null;
}

/** A table whose partitions are kept up; in JSON it stands beside derivations. */
interface Partitions {
  name: string;
  kind: 'partitions';
  /** active, or alarm where something is wrong. */
  state: string;
  partitions: number;
  /** Whole periods after the current one that have their partition, and how many should. */
  ahead: number;
  premake: number;
  /** Rows in the default partition, counted up to 10,000. */
  defaultRows: number;
  /** When the next partition is due to be made or removed. */
  nextAt: Date | null;
  /** What is wrong. */
  alarm: string | null;
  lastError: string | null;
}

await runCommand(async () => {
  const program = new Command('status')
    .description(
      'Shows every derivation (its state, what is pending for it, its last error) and every table ' +
        'whose partitions are kept up. Ends with 1 where one has failed or an alarm is on.',
    )
    .option('--json', 'print a JSON array')
    .exitOverride()
    .parse();
  const { rows, partitions } = await withDatabase(async ({ connectionString }) => {
    const { role } = await findEngine(connectionString);
    const client = new pg.Client(ownerConfig(connectionString, 'status', role));
    await client.connect();
    try {
      const { rows } = await client.query<Status>(
        `select s.name, s.kind, s.strategy, s.state, s.pending_rows::integer as "pendingRows",
           s.waiting_keys::integer as "waitingKeys",
           (s.failed_keys + s.dead_keys)::integer as "failedKeys",
           round(extract(epoch from s.lag), 3)::float8 as "lagSeconds",
           s.last_reconciled_at as "lastReconciledAt", s.last_error as "lastError"
         from millrace.status s order by s.name`,
      );
      const { rows: partitions } = await client.query<Partitions>(
        `select p.table_name as name, 'partitions' as kind,
           case when p.alarm is null and p.last_error is null then 'active' else 'alarm' end as state,
           p.partitions::integer, p.ahead::integer, p.premake::integer,
           coalesce(p.default_rows, 0)::integer as "defaultRows",
           nullif(p.next_at, 'infinity') as "nextAt", p.alarm, p.last_error as "lastError"
         from millrace.partition_status p order by p.table_name`,
      );
      return { rows, partitions };
    } finally {
      await client.end();
    }
  });
  if (program.opts<{ json?: boolean }>().json) {
    process.stdout.write(`${JSON.stringify([...rows, ...partitions])}\n`);
  } else if (rows.length + partitions.length === 0) {
    process.stdout.write('Nothing is declared.\n');
  } else {
    const width = Math.max(...[...rows, ...partitions].map(({ name }) => name.length));
    const line = (name: string, kind: string, state: string, text: string, error: string | null) =>
      `${name.padEnd(width)}  ${kind.padEnd(11)}  ${state.padEnd(11)}  ${text}` +
      `${error === null ? '' : `  ${error}`}\n`;
    for (const row of rows) {
      const waiting = row.kind === 'counter' ? '' : `, ${row.waitingKeys} waiting`;
      const failed = row.failedKeys === 0 ? '' : `, ${row.failedKeys} failed`;
      const pending = `${row.pendingRows} pending${waiting}${failed}, ${row.lagSeconds} s behind`;
      process.stdout.write(
        line(row.name, row.strategy ?? row.kind, row.state, pending, row.lastError),
      );
    }
    for (const it of partitions) {
      const stray = it.defaultRows === 0 ? '' : `, rows in the default one: ${it.defaultRows}`;
      const text = `${it.partitions} made, ${it.ahead} of ${it.premake} ahead${stray}`;
      process.stdout.write(line(it.name, it.kind, it.state, text, it.alarm ?? it.lastError));
    }
  }
  return rows.some(({ state, failedKeys }) => state === 'failed' || failedKeys > 0) ||
    partitions.some(({ state }) => state === 'alarm')
    ? 1
    : 0;
});
