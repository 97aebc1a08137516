import { Command } from 'commander';
import pg from 'pg';
import { runCommand } from './lib/cli.ts';
import { withDatabase } from './lib/database.ts';
import { findEngine, ownerConfig } from './lib/pg-owner.ts';

/*
 * `npm run status`: what the engine keeps, and how far it is behind.
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

await runCommand(async () => {
  const program = new Command('status')
    .description('Shows every derivation: its state, what is pending for it, its last error.')
    .option('--json', 'print a JSON array')
    .exitOverride()
    .parse();
  const rows = await withDatabase(async ({ connectionString }) => {
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
      return rows;
    } finally {
      await client.end();
    }
  });
  if (program.opts<{ json?: boolean }>().json) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
  } else if (rows.length === 0) {
    process.stdout.write('Nothing is declared.\n');
  } else {
    const width = Math.max(...rows.map(({ name }) => name.length));
    for (const row of rows) {
      const state = row.state.padEnd(11);
      const kind = (row.strategy ?? row.kind).padEnd(11);
      const waiting = row.kind === 'counter' ? '' : `, ${row.waitingKeys} waiting`;
      const failed = row.failedKeys === 0 ? '' : `, ${row.failedKeys} failed`;
      const pending = `${row.pendingRows} pending${waiting}${failed}, ${row.lagSeconds} s behind`;
      const error = row.lastError === null ? '' : `  ${row.lastError}`;
      process.stdout.write(`${row.name.padEnd(width)}  ${kind}  ${state}  ${pending}${error}\n`);
    }
  }
  return rows.some(({ state, failedKeys }) => state === 'failed' || failedKeys > 0) ? 1 : 0;
});
