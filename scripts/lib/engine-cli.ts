import { Command } from 'commander';
import { ConfigError, databaseUrlOf } from './config.ts';
import {
  type InstallResult,
  installEngine,
  type UninstallResult,
  uninstallEngine,
} from './engine.ts';
import { requireDirect } from './pools.ts';

/*
 * `npm run install-engine` and `npm run uninstall-engine`, of which the first does both.
 */

interface Options {
  databaseUrl?: string;
  dryRun?: boolean;
  uninstall?: boolean;
  keepRelations?: boolean;
  json?: boolean;
}

/** Installs, or with `--uninstall` uninstalls, as the command line says. */
export async function installCommand(): Promise<number> {
  const options = command('install-engine')
    .description(
      'Puts the engine, and nothing else, into a database of yours, or updates it there.',
    )
    .option('--uninstall', 'take it out again, like npm run uninstall-engine')
    .option('--keep-relations', 'with --uninstall: leave the relations that the engine made')
    .parse()
    .opts<Options>();
  return options.uninstall ? await uninstall(options) : await install(options);
}

/** Uninstalls, as the command line says. */
export async function uninstallCommand(): Promise<number> {
  const options = command('uninstall-engine')
    .description('Takes the engine out of a database; target columns keep their last values.')
    .option('--keep-relations', 'leave the relations that the engine made, as ordinary ones')
    .parse()
    .opts<Options>();
  return await uninstall(options);
}

function command(name: string): Command {
  return new Command(name)
    .option('--database-url <url>', 'the database, with the login that owns the engine')
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', '\nWithout --database-url the database is that of DATABASE_URL.')
    .exitOverride();
}

/** Never the embedded Postgres: that one has an engine. */
async function target(options: Options): Promise<string> {
  const url = databaseUrlOf(options.databaseUrl);
  if (url === null) throw new ConfigError('Give --database-url, or set DATABASE_URL.');
  await requireDirect(url);
  return url;
}

async function install(options: Options): Promise<number> {
  const result = await installEngine(await target(options), { dryRun: options.dryRun });
  print(options, result, describeInstallation(result));
  return 0;
}

async function uninstall(options: Options): Promise<number> {
  const { dryRun, keepRelations } = options;
  const result = await uninstallEngine(await target(options), { dryRun, keepRelations });
  print(options, result, describeUninstallation(result));
  return 0;
}

function describeInstallation(result: InstallResult): string[] {
  const { migrations, applied, dropped, declared, queue, dryRun, owner } = result;
  const word = (text: string) => (dryRun ? `would be ${text}` : text);
  const lines = [
    ...migrations.map((name) => `${word('migrated')}  ${name}`),
    ...(queue === 'made' ? [`${word('made')}  schema graphile_worker`] : []),
    ...(queue === 'shared' ? ['shared  schema graphile_worker, with the application'] : []),
    ...(applied.length > 0 ? [`${word('applied')}  ${applied.length} functions and views`] : []),
    ...dropped.map((object) => `${word('dropped')}  ${object}`),
    ...declared.map((name) => `declared again  ${name}`),
  ];
  const changes = migrations.length + applied.length + dropped.length;
  return changes === 0
    ? [`The engine is installed and up to date; it belongs to ${owner}.`]
    : [...lines, `The engine ${dryRun ? 'would belong' : 'belongs'} to ${owner}.`];
}

function describeUninstallation({
  dryRun,
  installed,
  derivations,
  schemas,
  left,
}: UninstallResult): string[] {
  if (!installed) return ['There is no engine in this database.'];
  const word = dryRun ? 'would be dropped' : 'dropped';
  return [
    ...derivations.map((name) => `${word}  ${name}`),
    ...schemas.map((name) => `${word}  schema ${name}`),
    ...left.map((what) => `stays  ${what}`),
  ];
}

function print(options: Options, result: unknown, lines: string[]): void {
  process.stdout.write(
    options.json ? `${JSON.stringify(result)}\n` : lines.map((line) => `${line}\n`).join(''),
  );
}
