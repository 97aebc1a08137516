import { hostname } from 'node:os';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { ANONYMOUS_ROLE } from './pg-service.ts';
import type { SlowStatements } from './slow-statements.ts';

/*
 * Once a minute a host writes down what it measured, one row: so that alerts and the operator's API
 * know of all hosts, whichever one is asked.
 */

const INTERVAL = 60_000;

export interface HostReports {
  /** Sends what was measured since the last report. Never rejected. */
  send(): Promise<void>;
  stop(): Promise<void>;
}

/** Reports until stopped; what could not be sent is lost, and the next report goes out as always. */
export function startHostReports(
  withPgClient: WithPgClient,
  metrics: Metrics,
  slowStatements: SlowStatements,
  { interval = INTERVAL, host = `${hostname()}:${process.pid}` } = {},
): HostReports {
  let sending: Promise<void> | null = null;

  async function send(): Promise<void> {
    await slowStatements.settled();
    const report = {
      host,
      ...metrics.takeMinute(),
      slowStatements: slowStatements.take(),
    };
    try {
      await withPgClient({ role: ANONYMOUS_ROLE }, (client) =>
        client.query({
          text: 'select app_hidden.report_host($1)',
          values: [JSON.stringify(report)],
        }),
      );
    } catch (error) {
      log.warn({ err: error }, 'what this host measured could not be reported');
    }
  }

  const reports: HostReports = {
    async send() {
      sending ??= send().finally(() => {
        sending = null;
      });
      await sending;
    },
    async stop() {
      clearInterval(timer);
      await reports.send();
    },
  };
  const timer = setInterval(() => void reports.send(), interval).unref();
  return reports;
}
