import pg from 'pg';
import { analyze } from '../lib/analysis/analyze.ts';
import { runAnalysis } from '../lib/analysis-run.ts';
import { claimAnalysis } from '../lib/analysis-store.ts';
import { ownerConfig } from '../lib/pg-owner.ts';

/*
 * A process of its own for the analysis of one conversation: the first run is a cold one, and its
 * memory is nobody else's. Prints one JSON object.
 *
 *   node analysis-process.ts CONNECTION CONVERSATION WARM_RUNS
 */

export interface ProcessResult {
  /**
   * Milliseconds of the mathematics, by stage, in all, and of the processor (less than in all where
   * others want it too): the first time, and each time after.
   */
  cold: Record<string, number>;
  warm: Record<string, number>[];
  /** Largest resident memory up to the end of the warm runs, in MB. */
  rssMb: number;
  /** The same before the first run: Node itself, and the votes. */
  startMb: number;
  /** Milliseconds from claim to commit of each run after the first, by stage. */
  runs: Record<string, number>[];
}

const [connectionString = '', conversation = '', warmRuns = '5'] = process.argv.slice(2);
const pool = new pg.Pool({ ...ownerConfig(connectionString, 'bench analysis'), max: 1 });
const client = await pool.connect();
const claim = await claimAnalysis(client, Number(conversation));
client.release();
if (claim === null) throw new Error(`there is no conversation ${conversation}`);

const peakMb = () => process.resourceUsage().maxRSS / 1024;
const startMb = peakMb();
const timed = () => {
  const started = performance.now();
  const before = process.threadCpuUsage();
  const { timings } = analyze(claim.input);
  const { user, system } = process.threadCpuUsage(before);
  return { ...timings, total: performance.now() - started, processor: (user + system) / 1000 };
};
const cold = timed();
const warm = Array.from({ length: Number(warmRuns) }, timed);
const rssMb = peakMb();

const runs: Record<string, number>[] = [];
for (let round = 0; round <= Number(warmRuns); round += 1) {
  const run = await runAnalysis(pool, Number(conversation), { compute: analyze, keep: 2 });
  if (run === null || run.runId === null) throw new Error('the result was not published');
  if (round > 0) runs.push(run.timings);
}
await pool.end();
const result: ProcessResult = { cold, warm, rssMb, startMb, runs };
process.stdout.write(`${JSON.stringify(result)}\n`);
