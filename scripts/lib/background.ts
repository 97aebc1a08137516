import { startAnalysisLane } from './analysis-lane.ts';
import type { Part } from './shutdown.ts';
import { startTicker } from './ticker.ts';
import { startWorker } from './worker.ts';

/**
 * Starts what works in the background of a host that does everything: the lane of the analyses, the
 * worker and the ticker. `connectionString` is the owner's.
 */
export async function startBackground(
  add: (part: Part) => void,
  { connectionString, keep }: { connectionString: string; keep: number },
): Promise<void> {
  const lane = await startAnalysisLane({ connectionString, keep });
  add({ name: 'analysis', stop: lane.stop });
  const worker = await startWorker({ connectionString });
  add({ name: 'worker', stop: worker.stop });
  const ticker = startTicker({ connectionString });
  add({ name: 'ticker', stop: ticker.stop });
}
