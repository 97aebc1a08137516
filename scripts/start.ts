import { mkdir } from 'node:fs/promises';
import { Command } from 'commander';
import getPort, { portNumbers } from 'get-port';
import pg from 'pg';
import { startBackground } from './lib/background.ts';
import { runCommand } from './lib/cli.ts';
import { loadConfig, loginConnectionString, redactedUrl } from './lib/config.ts';
import { openDatabase } from './lib/database.ts';
import { loadDemoData } from './lib/demo-data.ts';
import { issueToken, localSecret, tokenKey } from './lib/jwt.ts';
import { migrateUp } from './lib/migrations.ts';
import { ownerConfig } from './lib/pg-owner.ts';
import { startServer } from './lib/server.ts';
import { runUntilStopped } from './lib/shutdown.ts';

/*
 * `npm start`: everything in one process, on the embedded Postgres unless DATABASE_URL names a
 * server. The first start migrates and loads the demo data; later ones find them there.
 */

/** Seconds that the printed token is valid. */
const TOKEN_LIFETIME = 12 * 60 * 60;

/** How much of the demo's community: enough to look around, and loaded in a few seconds. */
const DEMO_SCALE = 0.2;

await runCommand(async () => {
  new Command('start')
    .description(
      'Starts everything in one process: an embedded Postgres (or the one of DATABASE_URL), migrations, ' +
        'demo data where nothing is there yet, ticker, worker and API. Ctrl-C stops it; the data stay.',
    )
    .exitOverride()
    .parse();
  return await runUntilStopped(async (add) => {
    const config = loadConfig();
    await mkdir(config.dataDir, { recursive: true });
    const key = tokenKey(config.jwtSecret ?? (await localSecret(config.dataDir)));

    say(config.databaseUrl === null ? 'Starting Postgres …' : 'Connecting to the database …');
    const database = await openDatabase(config);
    add({ name: 'database', stop: database.stop });
    const { connectionString } = database;

    say('Migrating …');
    await migrateUp(connectionString);
    // The server takes as long to start as the demo data to load.
    const demo = loadDemo(connectionString);
    // Its failure is that of the line below that awaits it, and until then nobody's.
    demo.catch(() => undefined);
    const server = await startServer({
      ...config.server,
      connectionString:
        config.apiDatabaseUrl ?? loginConnectionString(connectionString, 'app_authenticator'),
      operatorConnectionString:
        config.operatorDatabaseUrl ?? loginConnectionString(connectionString, 'app_operator_login'),
      key,
      host: config.host,
      port: await freePort(config.port, config.host),
      development: !config.production,
    });
    add({ name: 'server', stop: server.stop });
    await demo;

    await startBackground(add, { connectionString, keep: config.analysisResults });

    say('');
    say(`  GraphQL   ${server.url}/graphql`);
    if (!config.production) say(`  Ruru      ${server.url}/`);
    say(`  Operator  ${server.url}/operator${config.production ? '/graphql' : ''}`);
    // The embedded server listens on this machine only, and its password is made for it.
    say(`  Database  ${database.embedded ? connectionString : redactedUrl(connectionString)}`);
    const accountId = await firstAccount(connectionString);
    if (accountId !== null && !config.production) {
      const token = await issueToken(key, { accountId, role: 'account', lifetime: TOKEN_LIFETIME });
      say('');
      say(`  To act as account ${accountId} for 12 hours, add in Ruru under "Headers":`);
      say(`  {"Authorization": "Bearer ${token}"}`);
    }
    say('');
    say('  Ctrl-C stops everything; the data stay.');
  });
});

async function loadDemo(connectionString: string): Promise<void> {
  if ((await firstAccount(connectionString)) !== null) return;
  let last = '';
  const result = await loadDemoData(connectionString, {
    scale: DEMO_SCALE,
    onProgress: (step) => {
      if (step !== last) say(`Demo data: ${step} …`);
      last = step;
    },
  });
  if (result.loaded) say(`Demo data: ${result.votes} votes in ${result.seconds} s`);
}

/** The first account: null in a database that nobody has used yet. */
async function firstAccount(connectionString: string): Promise<string | null> {
  const client = new pg.Client(ownerConfig(connectionString, 'start'));
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string | null }>(
      'select min(id) as id from app_public.account where deleted_at is null',
    );
    return rows[0]?.id ?? null;
  } finally {
    await client.end();
  }
}

/** The port asked for, or the next one that is free. */
async function freePort(port: number, host: string): Promise<number> {
  if (port === 0) return 0;
  const free = await getPort({ host, port: portNumbers(port, Math.min(port + 100, 65_535)) });
  if (free !== port) say(`Port ${port} is in use: taking ${free}.`);
  return free;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
