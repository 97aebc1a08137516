import { Command } from 'commander';
import getPort, { portNumbers } from 'get-port';
import { describeError, runCommand } from './lib/cli.ts';
import { loadConfig, loginConnectionString, redactedUrl } from './lib/config.ts';
import { openDatabase } from './lib/database.ts';
import { watchSql } from './lib/dev.ts';
import { localSecret, tokenKey } from './lib/jwt.ts';
import { migrateUp } from './lib/migrations.ts';
import { startServer } from './lib/server.ts';
import { startTicker } from './lib/ticker.ts';
import { startWorker } from './lib/worker.ts';

/*
 * `npm run dev`: everything that `npm start` runs, and every SQL file is applied when it is saved;
 * the GraphQL schema follows. An error is printed with its place, and the database stays as it was.
 */

await runCommand(async () => {
  new Command('dev')
    .description('Runs everything and applies SQL files as they are saved.')
    .exitOverride()
    .parse();
  const config = loadConfig();
  const database = await openDatabase(config);
  const stops: (() => Promise<void>)[] = [() => database.stop()];
  try {
    const { connectionString } = database;
    await migrateUp(connectionString);
    const ticker = startTicker({ connectionString });
    stops.push(() => ticker.stop());
    const worker = await startWorker({ connectionString });
    stops.push(() => worker.stop());
    const server = await startServer({
      connectionString:
        config.apiDatabaseUrl ?? loginConnectionString(connectionString, 'app_authenticator'),
      key: tokenKey(config.jwtSecret ?? (await localSecret(config.dataDir))),
      host: config.host,
      port: await getPort({ host: config.host, port: portNumbers(config.port, config.port + 100) }),
      development: true,
    });
    stops.push(() => server.stop());
    const watcher = await watchSql({
      connectionString,
      async onApplied({ migrations, replaceables }, milliseconds) {
        await server.reload();
        const { applied = [], dropped = [] } = replaceables ?? {};
        for (const name of migrations) print(`migrated  ${name}`);
        for (const path of applied) print(`applied   ${path}`);
        for (const object of dropped) print(`dropped   ${object}`);
        print(`in ${Math.round(milliseconds)} ms; the GraphQL schema is current`);
      },
      onError: (error) => process.stderr.write(`\n${describeError(error)}\n`),
    });
    stops.push(() => watcher.close());
    print(`API       ${server.url}/graphql`);
    print(`Ruru      ${server.url}/`);
    print(`database  ${redactedUrl(connectionString)}`);
    print('watching  db/migrations, functions, db/derived');
    await new Promise<void>((resolve) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, resolve);
    });
    return 0;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
