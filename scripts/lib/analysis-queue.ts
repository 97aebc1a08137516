import type { ClientBase } from 'pg';
import { type Db, PgBoss, type QueueOptions } from 'pg-boss';
import { log } from './log.ts';

/*
 * The queue that analyses wait in: pg-boss, because one takes seconds of a processor, and
 * graphile-worker has recomputes of milliseconds to run.
 *
 * One job of a conversation at most, waiting or running (policy exclusive). So a request that comes
 * while one runs makes none: it is numbered in app_private.analysis_request, and the run that ends
 * sees the number and sends for another in the transaction that publishes. Either takes the same
 * row's lock, so no request falls between the two.
 */

export const QUEUE = 'analyze_conversation';
/** Where jobs end that have failed too often. */
export const DEAD_QUEUE = 'analyze_conversation_dead';
export const BOSS_SCHEMA = 'pgboss';

/** Seconds from a run to the next that its votes have been overtaken by. */
export const RERUN_AFTER = 20;

export interface AnalysisJob {
  conversationId: number;
}

const OPTIONS: QueueOptions = {
  retryLimit: 5,
  retryDelay: 2,
  retryBackoff: true,
  retryDelayMax: 120,
  // Longer than any analysis: who is found after that is given up.
  expireInSeconds: 600,
  // A killed host is noticed after so many.
  heartbeatSeconds: 10,
  deleteAfterSeconds: 3600,
};

/** Makes the queues, or brings those that are there up to date. */
export async function makeQueues(boss: PgBoss): Promise<void> {
  await boss.createQueue(DEAD_QUEUE);
  await boss.updateQueue(DEAD_QUEUE, { deleteAfterSeconds: 3600, notify: true });
  await boss.createQueue(QUEUE, { policy: 'exclusive', deadLetter: DEAD_QUEUE });
  await boss.updateQueue(QUEUE, { ...OPTIONS, deadLetter: DEAD_QUEUE, notify: true });
}

/**
 * Asks for an analysis of a conversation, in one transaction on `client`. When it has committed, one
 * that reads the votes as they are now, or later, will be published, whatever dies meanwhile.
 *
 * @throws when the queues have not been made yet; nothing has happened then.
 */
export async function requestAnalysis(client: ClientBase, conversationId: number): Promise<void> {
  const db = onClient(client);
  const boss = new PgBoss({
    db,
    schema: BOSS_SCHEMA,
    migrate: false,
    supervise: false,
    schedule: false,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'pg-boss'));
  await boss.start();
  try {
    await client.query('begin');
    const { rows } = await client.query<{ request: string | null }>(
      'select app_private.request_analysis($1) as request',
      [conversationId],
    );
    if (rows[0]?.request) await sendAnalysis(boss, conversationId, db);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    await boss.stop({ close: false, graceful: false });
  }
}

/** Adds a job, in the transaction of `db`; none when the conversation has one. */
export async function sendAnalysis(
  boss: PgBoss,
  conversationId: number,
  db: Db,
  startAfter = 0,
): Promise<void> {
  const job: AnalysisJob = { conversationId };
  await boss.send(QUEUE, job, { singletonKey: String(conversationId), startAfter, db });
}

/** Lets pg-boss take part in the transaction of a client. */
export function onClient(client: ClientBase): Db {
  return { executeSql: (text, values) => client.query(text, values) };
}
