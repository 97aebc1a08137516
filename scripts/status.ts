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
  state: string;
  pendingRows: number;
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
        `select s.name, s.kind, s.state, s.pending_rows::integer as "pendingRows",
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
      const pending = `${row.pendingRows} pending, ${row.lagSeconds} s behind`;
      const error = row.lastError === null ? '' : `  ${row.lastError}`;
      process.stdout.write(`${row.name.padEnd(width)}  ${state}  ${pending}${error}\n`);
    }
  }
  return rows.some(({ state }) => state === 'failed') ? 1 : 0;
});
