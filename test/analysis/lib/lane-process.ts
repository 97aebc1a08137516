import { startAnalysisLane } from '../../../scripts/lib/analysis-lane.ts';

/* A host that works off analyses and nothing else, to be killed. */

await startAnalysisLane({ connectionString: process.env.DATABASE_URL as string, keep: 3 });
process.stdout.write('working\n');
