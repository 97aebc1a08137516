import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from './lib/cli.ts';
import { withDatabase } from './lib/database.ts';
import { migrateDown, migrateUp, migrationStatus } from './lib/migrations.ts';

/*
 * `npm run migrate -- up | down N | status | verify`: see scripts/lib/migrations.ts for the rules.
 */

const program = new Command('migrate')
  .description('Applies the migrations, functions and declarations to the database.')
  .option('--json', 'print the result as one JSON object')
  .exitOverride();

program
  .command('up', { isDefault: true })
  .description('apply everything that is pending')
  .option('--count <n>', 'apply at most this many migrations, and no functions', positive)
  .action(async (options: { count?: number }) => {
    const result = await withDatabase(({ connectionString }) =>
      migrateUp(connectionString, {
        count: options.count,
        replaceables: options.count === undefined,
      }),
    );
    const { applied = [], dropped = [] } = result.replaceables ?? {};
    print(result, [
      ...result.migrations.map((name) => `migrated  ${name}`),
      ...applied.map((path) => `applied   ${path}`),
      ...dropped.map((object) => `dropped   ${object}`),
      ...(result.migrations.length + applied.length + dropped.length === 0 ? ['up to date'] : []),
    ]);
  });

program
  .command('down')
  .description('undo the last N migrations; functions and declarations come back with the next up')
  .argument('<n>', 'how many', positive)
  .action(async (count: number) => {
    const result = await withDatabase(({ connectionString }) =>
      migrateDown(connectionString, count),
    );
    print(
      result,
      result.migrations.map((name) => `undone    ${name}`),
    );
  });

program
  .command('status')
  .description('show what is applied and what is pending')
  .action(async () => {
    const status = await withDatabase(({ connectionString }) => migrationStatus(connectionString));
    print(status, [
      ...status.applied.map(({ name, appliedAt }) => `applied   ${name}  ${appliedAt.toJSON()}`),
      ...status.pending.map((name) => `pending   ${name}`),
      ...status.replaceables.changed.map((path) => `changed   ${path}`),
      ...status.replaceables.removed.map((path) => `removed   ${path}`),
      ...status.problems.map(({ message }) => `problem   ${message}`),
    ]);
  });

program
  .command('verify')
  .description('fail unless every applied migration is the file that was applied')
  .action(async () => {
    const { problems, applied } = await withDatabase(({ connectionString }) =>
      migrationStatus(connectionString),
    );
    print({ ok: problems.length === 0, problems }, [
      ...problems.map(({ message }) => `problem   ${message}`),
      ...(problems.length === 0 ? [`verified  ${applied.length} applied migrations`] : []),
    ]);
    if (problems.length > 0) process.exitCode = 1;
  });

await runCommand(async () => {
  await program.parseAsync();
  return Number(process.exitCode ?? 0);
});

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('1 or more.');
  return number;
}

function print(result: unknown, lines: string[]): void {
  const json = program.opts<{ json?: boolean }>().json;
  process.stdout.write(
    json ? `${JSON.stringify(result)}\n` : lines.map((it) => `${it}\n`).join(''),
  );
}
