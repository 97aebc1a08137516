import { Command } from 'commander';
import { runCommand } from './lib/cli.ts';
import { migrateUp } from './lib/migrations.ts';
import { withScratchDatabase } from './lib/scratch.ts';
import { compareSnapshot, generateSnapshot, writeSnapshot } from './lib/snapshot-files.ts';

/*
 * `npm run snapshot [-- --check]`: migrates an empty database from nothing and writes what it then
 * holds to db/snapshot, or fails when the committed files differ. The server is that of the tests:
 * the embedded Postgres 18 unless TEST_DATABASE_URL names one.
 */

await runCommand(async () => {
  const options = new Command('snapshot')
    .description('Writes db/snapshot: schema.sql, reference.md, schema.graphql.')
    .option('--check', 'write nothing; fail when the committed files are not current')
    .option('--json', 'print the result as one JSON object')
    .exitOverride()
    .parse()
    .opts<{ check?: boolean; json?: boolean }>();
  const files = await withScratchDatabase(async (connectionString) => {
    await migrateUp(connectionString);
    return await generateSnapshot(connectionString);
  });
  if (options.check) {
    const differences = await compareSnapshot(files);
    if (options.json) process.stdout.write(`${JSON.stringify({ differences })}\n`);
    for (const { file, line, committed, generated } of options.json ? [] : differences) {
      process.stdout.write(
        line === null
          ? `db/snapshot/${file} is missing: run npm run snapshot and commit it\n`
          : `db/snapshot/${file}:${line} is not current: run npm run snapshot and commit it\n` +
              `  committed: ${committed}\n  generated: ${generated}\n`,
      );
    }
    return differences.length === 0 ? 0 : 1;
  }
  const written = await writeSnapshot(files);
  if (options.json) process.stdout.write(`${JSON.stringify({ written })}\n`);
  else for (const file of written) process.stdout.write(`written  db/snapshot/${file}\n`);
  return 0;
});
