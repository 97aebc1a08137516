import type { ServerResponse } from 'node:http';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import type { EngineMetrics, Metrics } from './metrics.ts';
import { ANONYMOUS_ROLE, type ApiSettings, type ObserveStatements } from './pg-service.ts';
import type { SlowStatements } from './slow-statements.ts';

/** Ties the statements of the API to what is measured of them. */
export function measureStatements(metrics: Metrics, slowStatements: SlowStatements) {
  /** The response for which statements run under these settings: each request has its own. */
  const responses = new WeakMap<object, ServerResponse>();
  const observe: ObserveStatements = (statements, duration, settings) => {
    metrics.observeStatement(duration);
    const response = responses.get(settings);
    const [only] = statements;
    slowStatements.observe({
      // What was sent at once is answered at once: nobody knows which one took how long.
      text: statements.map(({ text }) => text).join(';\n'),
      values: statements.length === 1 && only !== undefined ? only.values : null,
      settings,
      operation: response === undefined ? null : metrics.operationOf(response),
      duration,
    });
  };
  return {
    observe,
    /** Notes for which response the settings are. */
    settings(settings: ApiSettings, response: ServerResponse | undefined): ApiSettings {
      if (response !== undefined) responses.set(settings, response);
      return settings;
    },
  };
}

/** What the database says of itself for metrics: one statement. */
export async function engineMetrics(withPgClient: WithPgClient): Promise<EngineMetrics> {
  const settings: ApiSettings = { role: ANONYMOUS_ROLE, transaction_read_only: 'on' };
  const { rows } = await withPgClient(settings, (client) =>
    client.query<{ metrics: EngineMetrics }>({
      text: 'select app_hidden.engine_metrics() as metrics',
    }),
  );
  return rows[0]!.metrics;
}
