import { Command, InvalidArgumentError } from 'commander';
import pg from 'pg';
import { runCommand } from './lib/cli.ts';
import { withDatabase } from './lib/database.ts';
import { findEngine, ownerConfig } from './lib/pg-owner.ts';

/*
 * `npm run reconcile`: compares derived values with a recount, in batches that drains and writers
 * do not wait for.
 */

interface Reconciliation {
  name: string;
  keysChecked: number;
  keysDrifted: number;
  drift: number;
  repaired: boolean;
  cause: string | null;
}

await runCommand(async () => {
  const program = new Command('reconcile')
    .description('Compares what is derived with a recount. Ends with 1 where drift is left.')
    .argument('[name]', 'one derivation, as npm run status names it; all without it')
    .option('--repair', 'put right what differs')
    .option('--sample <keys>', 'compare so many keys of each, at random', positive)
    .option('--json', 'print a JSON array')
    .exitOverride()
    .parse();
  const {
    repair = false,
    json = false,
    sample,
  } = program.opts<{ repair?: boolean; json?: boolean; sample?: number }>();
  const [name = null] = program.args;

  const rows = await withDatabase(async ({ connectionString }) => {
    const { role } = await findEngine(connectionString);
    const client = new pg.Client(ownerConfig(connectionString, 'reconcile', role));
    await client.connect();
    try {
      const { rows: clock } = await client.query<{ now: string }>(
        'select clock_timestamp()::text as now',
      );
      await client.query('call millrace.reconcile_batches($1)', [
        JSON.stringify({ name, repair, sample }),
      ]);
      const { rows } = await client.query<Reconciliation>(
        `select r.name, r.keys::integer as "keysChecked",
           coalesce(d.keys_drifted, 0)::integer as "keysDrifted",
           coalesce(d.drift, 0)::float8 as drift, coalesce(d.repaired, false) as repaired, d.cause
         from millrace.run_log r
         left join millrace.drift_log d on d.name = r.name and d.found_at >= $1
         where r.kind = 'reconcile' and r.finished_at >= $1 and ($2::text is null or r.name = $2)
         order by r.name`,
        [clock[0]?.now, name],
      );
      return rows;
    } finally {
      await client.end();
    }
  });
  if (json) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
  } else {
    for (const row of rows) {
      const found =
        row.keysDrifted === 0
          ? 'no drift'
          : `${row.keysDrifted} differ, ${row.drift} in all${row.repaired ? ', repaired' : ''}: ${row.cause}`;
      process.stdout.write(`${row.name}: ${row.keysChecked} keys, ${found}\n`);
    }
  }
  return rows.some(({ keysDrifted, repaired }) => keysDrifted > 0 && !repaired) ? 1 : 0;
});

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new InvalidArgumentError('It must be a whole number above 0.');
  }
  return number;
}
