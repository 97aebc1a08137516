import type { Task } from 'graphile-worker';
import { requestAnalysis } from '../scripts/lib/analysis-queue.ts';

/** Hands a conversation whose votes have changed to the queue of analyses. */
const task: Task = async (payload, { withPgClient }) => {
  const { conversation_id: id } = payload as { conversation_id: number };
  await withPgClient((client) => requestAnalysis(client, Number(id)));
};

export default task;
