import { Command } from 'commander';
import getPort, { portNumbers } from 'get-port';
import { startBackground } from './lib/background.ts';
import { describeError, runCommand } from './lib/cli.ts';
import { loadConfig, loginConnectionString, redactedUrl } from './lib/config.ts';
import { openDatabase } from './lib/database.ts';
import { watchSql } from './lib/dev.ts';
import { localSecret, tokenKey } from './lib/jwt.ts';
import { migrateUp } from './lib/migrations.ts';
import { startServer } from './lib/server.ts';
import { runUntilStopped } from './lib/shutdown.ts';

/*
 * `npm run dev`: everything that `npm start` runs, without demo data, and every SQL file is applied
 * when it is saved; the GraphQL schema follows. An error is printed with its place, and the database stays as it was.
 */

await runCommand(async () => {
  new Command('dev')
    .description('Runs everything and applies SQL files as they are saved.')
    .exitOverride()
    .parse();
  return await runUntilStopped(async (add) => {
    const config = loadConfig();
    const database = await openDatabase(config);
    add({ name: 'database', stop: database.stop });
    const { connectionString } = database;
    await migrateUp(connectionString);
    await startBackground(add, { connectionString, keep: config.analysisResults });
    const server = await startServer({
      ...config.server,
      connectionString:
        config.apiDatabaseUrl ?? loginConnectionString(connectionString, 'app_authenticator'),
      operatorConnectionString:
        config.operatorDatabaseUrl ?? loginConnectionString(connectionString, 'app_operator_login'),
      key: tokenKey(config.jwtSecret ?? (await localSecret(config.dataDir))),
      host: config.host,
      port: await getPort({ host: config.host, port: portNumbers(config.port, config.port + 100) }),
      development: true,
    });
    add({ name: 'server', stop: server.stop });
    const watcher = await watchSql({
      connectionString,
      async onApplied({ migrations, replaceables }, milliseconds) {
        for (const name of migrations) say(`migrated  ${name}`);
        for (const path of replaceables?.applied ?? []) say(`applied   ${path}`);
        for (const object of replaceables?.dropped ?? []) say(`dropped   ${object}`);
        say(`          in ${Math.round(milliseconds)} ms`);
        await server.reload();
      },
      onError: (error) => process.stderr.write(`\n${describeError(error)}\n\n`),
    });
    add({ name: 'watcher', stop: watcher.close });
    say(`GraphQL   ${server.url}/graphql`);
    say(`Ruru      ${server.url}/`);
    say(`Operator  ${server.url}/operator`);
    say(`Database  ${database.embedded ? connectionString : redactedUrl(connectionString)}`);
    say('Watching  db/migrations, functions, db/derived');
  });
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
