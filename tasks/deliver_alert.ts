import type { Task } from 'graphile-worker';
import { deliverAlert } from '../scripts/lib/webhook.ts';

/** Sends an alert to a webhook. Payload: {"delivery": <id>}. */
const task: Task = async (payload, { job, withPgClient }) => {
  const { delivery } = payload as { delivery: number };
  await deliverAlert(withPgClient, delivery, job.attempts >= job.max_attempts);
};

export default task;
