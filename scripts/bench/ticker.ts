import { parentPort, workerData } from 'node:worker_threads';
import { startTicker } from '../lib/ticker.ts';

/* The host's ticker as a thread: runs until it is told to stop. */

const { connectionString } = workerData as { connectionString: string };
const ticker = startTicker({ connectionString });
parentPort?.once('message', async () => {
  await ticker.stop();
  parentPort?.close();
});
