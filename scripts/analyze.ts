import { Command, InvalidArgumentError } from 'commander';
import { analyze } from './lib/analysis/analyze.ts';
import { type AnalysisRun, runAnalysis } from './lib/analysis-run.ts';
import { runCommand } from './lib/cli.ts';
import { loadConfig } from './lib/config.ts';
import { withDatabase } from './lib/database.ts';
import { ownerPool } from './lib/pg-owner.ts';

/*
 * `npm run analyze -- CONVERSATION`: analyses a conversation at once, beside whatever the queue does,
 * and says how long each stage took.
 */

await runCommand(async () => {
  const program = new Command('analyze')
    .description('Analyses a conversation now and publishes the result.')
    .argument('<conversation>', 'its id', id)
    .option('--json', 'print the result as one JSON object')
    .exitOverride()
    .parse();
  const [conversationId] = program.processedArgs as [number];
  const config = loadConfig();
  const run = await withDatabase(async ({ connectionString }) => {
    const pool = ownerPool(connectionString, 'analyze', 1);
    try {
      return await runAnalysis(pool, conversationId, {
        compute: analyze,
        keep: config.analysisResults,
      });
    } finally {
      await pool.end();
    }
  });
  if (run === null) {
    process.stderr.write(`There is no conversation ${conversationId}.\n`);
    return 1;
  }
  process.stdout.write(
    program.opts<{ json?: boolean }>().json ? `${JSON.stringify(run)}\n` : report(run),
  );
  return 0;
});

function report(run: AnalysisRun): string {
  const lines = [
    `conversation ${run.conversationId}: ${run.outcome}, ${run.votes} votes of ${run.participants} ` +
      `participants on ${run.opinions} opinions`,
    ...run.groups.map(
      ({ key, size, label }) =>
        `  ${'ABCDEF'[key]}  ${String(size).padStart(6)} members  ${label || '(no label)'}`,
    ),
    run.runId === null
      ? 'not published: a result of a later request came first'
      : `published as result ${run.runId}`,
    '',
    'milliseconds',
    ...Object.entries(run.timings).map(
      ([stage, ms]) => `  ${stage.padEnd(12)} ${ms.toFixed(1).padStart(8)}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function id(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new InvalidArgumentError('It must be the id of a conversation.');
  }
  return number;
}
