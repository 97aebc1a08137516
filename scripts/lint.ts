import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import pg from 'pg';
import { runCommand } from './lib/cli.ts';
import { ROOT } from './lib/config.ts';
import { type Fault, lintFiles, lintMigrations, runLints } from './lib/lints.ts';
import { migrateUp } from './lib/migrations.ts';
import { withScratchDatabase } from './lib/scratch.ts';

/*
 * `npm run lint`: Biome over TypeScript and JSON, rules about the text of SQL files, squawk over the
 * migrations, and db/lints over the catalog of a freshly migrated database.
 */

await runCommand(async () => {
  const options = new Command('lint')
    .description('Checks TypeScript, SQL files and the schema they make.')
    .option('--json', 'print the faults as one JSON array (Biome prints its own)')
    .exitOverride()
    .parse()
    .opts<{ json?: boolean }>();
  const biome = spawnSync(join(ROOT, 'node_modules/.bin/biome'), ['check', '--error-on-warnings'], {
    cwd: ROOT,
    stdio: ['ignore', options.json ? 2 : 'inherit', 'inherit'],
  });
  if (biome.error) throw biome.error;

  const faults: Fault[] = [...(await lintFiles()), ...(await lintMigrations())];
  await withScratchDatabase(async (connectionString) => {
    await migrateUp(connectionString);
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      faults.push(...(await runLints(client)));
    } finally {
      await client.end();
    }
  });
  if (options.json) process.stdout.write(`${JSON.stringify(faults)}\n`);
  for (const { lint, object, problem } of options.json ? [] : faults) {
    process.stdout.write(`${object}: ${problem} [${lint}]\n`);
  }
  process.stderr.write(`SQL: ${faults.length === 0 ? 'no faults' : `${faults.length} faults`}\n`);
  return biome.status === 0 && faults.length === 0 ? 0 : 1;
});
