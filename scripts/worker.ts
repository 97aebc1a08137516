import { runCommand } from './lib/cli.ts';
import { ConfigError, loadConfig } from './lib/config.ts';
import { log } from './lib/log.ts';
import { runUntilStopped } from './lib/shutdown.ts';
import { startTicker } from './lib/ticker.ts';
import { startWorker } from './lib/worker.ts';

/*
 * `npm run worker`: the ticker and the jobs of a database that is there and migrated; many may run.
 * It needs the owner's login (DATABASE_URL), on a direct connection.
 */

await runCommand(() =>
  runUntilStopped(async (add) => {
    const { databaseUrl: connectionString } = loadConfig();
    if (connectionString === null) {
      throw new ConfigError("Set DATABASE_URL to the owner's login; npm start needs none.");
    }
    const worker = await startWorker({ connectionString });
    add({ name: 'worker', stop: worker.stop });
    const ticker = startTicker({ connectionString });
    add({ name: 'ticker', stop: ticker.stop });
    log.info('working');
  }),
);
