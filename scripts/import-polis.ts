import { Command } from 'commander';
import { DatabaseError } from 'pg';
import { runCommand } from './lib/cli.ts';
import { withDatabase } from './lib/database.ts';
import { PolisFormatError } from './lib/polis-error.ts';
import { importPolis, PolisImportError, type PolisImportResult } from './lib/polis-import.ts';
import { createProgress } from './lib/progress.ts';

/*
 * `npm run import:polis -- PATH [--json] [--database-url URL]`: see scripts/lib/polis-import.ts.
 */

/** No such role, schema, table or type. */
const NOT_MIGRATED = ['22023', '3F000', '42P01', '42704'];

const program = new Command('import:polis')
  .description(
    'Imports the export of a Polis conversation, or brings an earlier import up to date.\n' +
      'All or nothing: when it fails or is interrupted, the database is as before.',
  )
  .argument('<path>', 'folder or .tar.gz with summary.csv, comments.csv, votes.csv')
  .option('--json', 'print the result as one JSON object and nothing else on standard output')
  .option(
    '--database-url <url>',
    "the owner's database; default: DATABASE_URL, else the embedded one",
  )
  .addHelpText(
    'after',
    '\nExit codes: 0 imported, 1 failed, 2 the export is malformed, 130 or 143 interrupted.',
  )
  .showHelpAfterError('--help explains.')
  .exitOverride();

await runCommand(async () => {
  program.parse();
  const options = program.opts<{ json?: boolean; databaseUrl?: string }>();
  const [path] = program.args as [string];

  const interrupted = new AbortController();
  const stop = (signal: NodeJS.Signals) => interrupted.abort(signal);
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const run = (connectionString: string) =>
    importPolis(connectionString, path, {
      progress: createProgress(),
      signal: interrupted.signal,
    });
  try {
    const result = options.databaseUrl
      ? await run(options.databaseUrl)
      : await withDatabase(({ connectionString }) => run(connectionString));
    print(result, options.json === true);
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) {
      process.stderr.write('interrupted; nothing was changed\n');
      return interrupted.signal.reason === 'SIGINT' ? 130 : 143;
    }
    if (error instanceof PolisFormatError) {
      process.stderr.write(`${error.message}\nnothing was changed\n`);
      return 2;
    }
    if (error instanceof DatabaseError && NOT_MIGRATED.includes(error.code ?? '')) {
      throw new PolisImportError('the database is not migrated: see `npm run migrate -- --help`', {
        cause: error,
      });
    }
    throw error;
  }
});

function print(result: PolisImportResult, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { conversationId, participants, opinions, votes, seconds } = result;
  const number = (value: number) => value.toLocaleString('en');
  process.stdout.write(
    `conversation ${conversationId}: ${number(participants)} participants, ` +
      `${number(opinions)} opinions, ${number(votes)} votes, in ${seconds.toFixed(1)} s\n`,
  );
}
