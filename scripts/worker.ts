import { Command } from 'commander';
import { startAnalysisLane } from './lib/analysis-lane.ts';
import { runCommand } from './lib/cli.ts';
import { ConfigError, loadConfig } from './lib/config.ts';
import { log } from './lib/log.ts';
import { findEngine } from './lib/pg-owner.ts';
import { requireDirect } from './lib/pools.ts';
import { runUntilStopped } from './lib/shutdown.ts';
import { startTicker } from './lib/ticker.ts';
import { startWorker } from './lib/worker.ts';
import { startWorkerMetrics } from './lib/worker-metrics.ts';

/*
 * `npm run worker`: the ticker, the jobs and the analyses of a database that is there and migrated,
 * or that has the engine alone (npm run install-engine), whose tasks it then runs and no others;
 * many may run. It needs the owner's login (DATABASE_URL), on a direct connection.
 */

await runCommand(async () => {
  const { tickerOnly = false } = new Command('worker')
    .description('Runs the ticker and the background jobs, until it is stopped.')
    .option('--ticker-only', 'no jobs: another process or pg_cron runs them')
    .exitOverride()
    .parse()
    .opts<{ tickerOnly?: boolean }>();
  return await runUntilStopped(async (add) => {
    const config = loadConfig();
    const { databaseUrl: connectionString, analysisResults, metricsPort } = config;
    if (connectionString === null) {
      throw new ConfigError("Set DATABASE_URL to the owner's login; npm start needs none.");
    }
    await requireDirect(connectionString);
    const { role, alone } = await findEngine(connectionString);
    if (!tickerOnly && !alone) {
      const lane = await startAnalysisLane({ connectionString, keep: analysisResults });
      add({ name: 'analysis', stop: lane.stop });
    }
    if (!tickerOnly) {
      const worker = await startWorker({ connectionString, role, engineOnly: alone });
      add({ name: 'worker', stop: worker.stop });
    }
    const ticker = startTicker({ connectionString, role });
    add({ name: 'ticker', stop: ticker.stop });
    if (metricsPort !== null) {
      const metrics = await startWorkerMetrics({
        connectionString,
        role,
        alone,
        host: config.host,
        port: metricsPort,
        token: config.server.metricsToken,
      });
      add({ name: 'metrics', stop: metrics.stop });
      log.info({ url: `${metrics.url}/metrics` }, 'measuring');
    }
    log.info(tickerOnly ? 'ticking' : 'working');
  });
});
