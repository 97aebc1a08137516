import { type EngineMetrics, makeMetrics } from './metrics.ts';
import { startMetricsServer } from './metrics-endpoint.ts';
import { ownerPool } from './pg-owner.ts';

export interface WorkerMetricsOptions {
  /** The owner's. */
  connectionString: string;
  role: string;
  /** There is nothing but the engine: its process is measured, and its ticks. */
  alone: boolean;
  host: string;
  port: number;
  token: string | null;
}

/** Serves `/metrics` and `/healthz` of a process that works and serves nothing else. */
export async function startWorkerMetrics({
  connectionString,
  role,
  alone,
  ...at
}: WorkerMetricsOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const pool = ownerPool(connectionString, 'metrics', 1, role);
  const metrics = makeMetrics({
    pools: () => [],
    ...(!alone && {
      async engine() {
        const { rows } = await pool.query<{ metrics: EngineMetrics }>(
          'select app_hidden.engine_metrics() as metrics',
        );
        return rows[0]!.metrics;
      },
    }),
  });
  const stop = async () => {
    metrics.stop();
    await pool.end();
  };
  try {
    const server = await startMetricsServer({ render: metrics.render, token: at.token }, at);
    return {
      url: server.url,
      async stop() {
        await server.stop();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
