import { type Job, type JobWithMetadata, PgBoss } from 'pg-boss';
import {
  type AnalysisJob,
  BOSS_SCHEMA,
  DEAD_QUEUE,
  makeQueues,
  onClient,
  QUEUE,
  RERUN_AFTER,
  sendAnalysis,
} from './analysis-queue.ts';
import { type AnalysisRun, runAnalysis } from './analysis-run.ts';
import { makeAnalysisThread } from './analysis-thread.ts';
import { log } from './log.ts';
import { ownerConfig, ownerPool } from './pg-owner.ts';

export interface AnalysisLaneOptions {
  /** The owner's. */
  connectionString: string;
  /** Results kept of a conversation. */
  keep: number;
  /** Seconds between two looks for hosts that died. Default 10. */
  superviseInterval?: number;
}

export interface AnalysisLane {
  /** Takes no more jobs, lets the one under way end (at most 20 s) and closes the connections. */
  stop(): Promise<void>;
}

/** Seconds until a conversation whose analysis was given up is tried again. */
const RETRY_DEAD_AFTER = 3600;
const STOP_TIMEOUT = 20_000;
/** Connections of pg-boss: for its statements and its heartbeats, beside the one that listens. */
const BOSS_CONNECTIONS = 3;

/**
 * Runs the analyses that wait: reads votes, computes in a thread of its own, so that neither this
 * process's API nor its other jobs are held up, and publishes the result together with the end of
 * the job. Installs pg-boss when it is not there. Any number of hosts may run one.
 *
 * A job is the host's that fetched it as long as its heartbeat comes; the result of one that lost
 * its job is not published.
 *
 * @throws when the database cannot be reached, or pg-boss not be installed.
 */
export async function startAnalysisLane({
  connectionString,
  keep,
  superviseInterval = 10,
}: AnalysisLaneOptions): Promise<AnalysisLane> {
  const config = ownerConfig(connectionString, 'analysis queue');
  const boss = new PgBoss({
    connectionString: config.connectionString as string,
    application_name: config.application_name as string,
    max: BOSS_CONNECTIONS,
    schema: BOSS_SCHEMA,
    schedule: false,
    useListenNotify: true,
    superviseIntervalSeconds: superviseInterval,
    monitorIntervalSeconds: superviseInterval,
    // No job here waits for other jobs.
    flowIntervalSeconds: 600,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'pg-boss'));
  boss.on('warning', ({ message, data }) => log.warn({ data }, `pg-boss: ${message}`));
  const pool = ownerPool(connectionString, 'analysis', 2);
  const thread = makeAnalysisThread();

  async function work(jobs: Job<AnalysisJob>[]): Promise<object> {
    const [job] = jobs as [Job<AnalysisJob>];
    const { conversationId } = job.data;
    const run = await runAnalysis(pool, conversationId, {
      compute: (input) => thread.run(input, job.signal),
      keep,
      finish: async (client, published) => {
        const db = onClient(client);
        const { rows } = await client.query<{ due: boolean }>(
          'select app_private.is_analysis_due($1) as due',
          [conversationId],
        );
        const completed = await boss.complete(QUEUE, job, { runId: published }, { db });
        if ((completed as { affected?: number }).affected === 0) {
          throw new Error(
            `the analysis of conversation ${conversationId} is another host's by now`,
          );
        }
        if (rows[0]?.due) await sendAnalysis(boss, conversationId, db, RERUN_AFTER);
      },
    });
    if (run !== null) log.debug(summary(run), 'analysed');
    return run ?? {};
  }

  /** What was given up is noted and tried again later; the next vote may come first. */
  async function giveUp(jobs: JobWithMetadata<AnalysisJob>[]): Promise<void> {
    const [job] = jobs as [JobWithMetadata<AnalysisJob>];
    const { conversationId } = job.data;
    const error = JSON.stringify(job.sourceOutput);
    log.error({ conversationId, error }, 'an analysis was given up for now');
    await pool.query('select app_private.fail_analysis($1, $2)', [conversationId, error]);
    await sendAnalysis(boss, conversationId, boss.getDb(), RETRY_DEAD_AFTER);
  }

  async function stop(): Promise<void> {
    await boss.stop({ timeout: STOP_TIMEOUT });
    await thread.stop();
    await pool.end();
  }

  try {
    await boss.start();
    await makeQueues(boss);
    await boss.work(QUEUE, { notifyPollingIntervalSeconds: 5 }, work);
    await boss.work(
      DEAD_QUEUE,
      { includeMetadata: true, notifyPollingIntervalSeconds: 30 },
      giveUp,
    );
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return { stop };
}

const summary = ({ conversationId, outcome, runId, votes, timings }: AnalysisRun) => ({
  conversationId,
  outcome,
  runId,
  votes,
  ms: Math.round(timings.total ?? 0),
});
