import { Command } from 'commander';
import { runCommand } from './lib/cli.ts';
import { ConfigError, loadConfig, loginConnectionString } from './lib/config.ts';
import { tokenKey } from './lib/jwt.ts';
import { log } from './lib/log.ts';
import { startServer } from './lib/server.ts';
import { runUntilStopped } from './lib/shutdown.ts';

/*
 * `npm run serve`: the API of a database that is there and migrated; many may run. It needs the
 * API's login only (API_DATABASE_URL), and JWT_SECRET, which all of them share. With the operator's
 * login (OPERATOR_DATABASE_URL) it serves the operator endpoint too.
 */

await runCommand(async () => {
  new Command('serve')
    .description(
      'Serves the API of a database that is migrated, until it is stopped. Needs API_DATABASE_URL or ' +
        'DATABASE_URL, and JWT_SECRET; npm run worker does the rest.',
    )
    .exitOverride()
    .parse();
  return await runUntilStopped(async (add) => {
    const config = loadConfig();
    const connectionString =
      config.apiDatabaseUrl ??
      (config.databaseUrl && loginConnectionString(config.databaseUrl, 'app_authenticator'));
    if (!connectionString) {
      throw new ConfigError(
        'Set API_DATABASE_URL (login app_authenticator), or DATABASE_URL; npm start needs neither.',
      );
    }
    if (config.jwtSecret === null) {
      throw new ConfigError('Set JWT_SECRET; make one with: openssl rand -base64 48');
    }
    const server = await startServer({
      ...config.server,
      connectionString,
      operatorConnectionString:
        config.operatorDatabaseUrl ??
        (config.databaseUrl && loginConnectionString(config.databaseUrl, 'app_operator_login')),
      key: tokenKey(config.jwtSecret),
      host: config.host,
      port: config.port,
      development: !config.production,
    });
    add({ name: 'server', stop: server.stop });
    log.info({ url: `${server.url}/graphql` }, 'serving');
  });
});
