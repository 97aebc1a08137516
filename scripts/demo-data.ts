import { Command, InvalidArgumentError } from 'commander';
import { runCommand } from './lib/cli.ts';
import { withDatabase } from './lib/database.ts';
import { type DemoResult, loadDemoData } from './lib/demo-data.ts';
import { createProgress } from './lib/progress.ts';

/*
 * `npm run demo-data -- [--scale N] [--force] [--json] [--database-url URL]`: see
 * scripts/lib/demo-data.ts.
 */

const program = new Command('demo-data')
  .description(
    'Fills the database with a made-up community, the same for the same scale. All or nothing;\n' +
      'where demo data are already, nothing happens.',
  )
  .option('--scale <n>', 'how much; 1 has 2,000 accounts and about 250,000 rows', positive, 1)
  .option('--force', 'load another community where there is one already')
  .option('--json', 'print the result as one JSON object and nothing else on standard output')
  .option(
    '--database-url <url>',
    "the owner's database; default: DATABASE_URL, else the embedded one",
  )
  .addHelpText('after', '\nExit codes: 0 loaded or there already, 1 failed.')
  .showHelpAfterError('--help explains.')
  .exitOverride();

await runCommand(async () => {
  program.parse();
  const options = program.opts<{
    scale: number;
    force?: boolean;
    json?: boolean;
    databaseUrl?: string;
  }>();
  const progress = createProgress();
  let current = '';
  const run = (connectionString: string) =>
    loadDemoData(connectionString, {
      scale: options.scale,
      force: options.force,
      onProgress(step, done, total) {
        if (step !== current) progress.step(step, total);
        current = step;
        progress.update(done, total);
      },
    });
  try {
    const result = options.databaseUrl
      ? await run(options.databaseUrl)
      : await withDatabase(({ connectionString }) => run(connectionString));
    progress.stop();
    print(result, options.json === true);
    return 0;
  } finally {
    progress.stop();
  }
});

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError('More than 0.');
  return number;
}

function print(result: DemoResult, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { loaded, batch, seconds } = result;
  const number = (value: number) => value.toLocaleString('en');
  process.stdout.write(
    loaded
      ? `${number(result.accounts)} accounts, ${number(result.conversations)} conversations with ` +
          `${number(result.opinions)} opinions and ${number(result.votes)} votes,\n` +
          `${number(result.projects)} projects with ${number(result.upvotes)} upvotes and ` +
          `${number(result.comments)} comments, ${number(result.chains)} chains,\n` +
          `${number(result.agents)} agents with ${number(result.agentUpdates)} updates,\n` +
          `${number(result.directMessages)} direct messages and ` +
          `${number(result.telemetryEvents)} events, in ${seconds.toFixed(1)} s\n`
      : `the demo data are there already (batch ${batch}); --force loads another community\n`,
  );
}
