import { parentPort, workerData } from 'node:worker_threads';
import { startAnalysisLane } from '../lib/analysis-lane.ts';
import { startWorker } from '../lib/worker.ts';

/* The host's worker with its analyses as a thread: runs until it is told to stop. */

const { connectionString } = workerData as { connectionString: string };
const lane = await startAnalysisLane({ connectionString, keep: 2 });
const worker = await startWorker({ connectionString });
parentPort?.once('message', async () => {
  await worker.stop();
  await lane.stop();
  parentPort?.close();
});
parentPort?.postMessage('ready');
