import type { ClientBase, Pool } from 'pg';
import type { AnalysisInput, AnalysisOutcome, AnalysisResult } from './analysis/analyze.ts';
import { claimAnalysis, pruneAnalysis, publishAnalysis } from './analysis-store.ts';

/** An analysis from claim to published result. */
export interface AnalysisRun {
  conversationId: number;
  outcome: AnalysisOutcome;
  /** The published result; null when one of a later request was published meanwhile. */
  runId: number | null;
  votes: number;
  participants: number;
  opinions: number;
  groups: { key: number; size: number; label: string }[];
  /** Milliseconds of each stage, and of all. */
  timings: Record<string, number>;
}

export interface AnalysisRunOptions {
  /** Computes the result: analyze itself, or a thread's run. */
  compute: (input: AnalysisInput) => AnalysisResult | Promise<AnalysisResult>;
  /** Results kept of a conversation, the published one too. */
  keep: number;
  /** What is to be committed with the result, in its transaction; told the result's id, or null. */
  finish?: (client: ClientBase, runId: number | null) => Promise<void>;
}

/**
 * Analyses a conversation and publishes the result; null when there is no such conversation. Holds
 * a connection while it reads and while it writes, none while it computes. What it throws has
 * changed nothing.
 */
export async function runAnalysis(
  pool: Pool,
  conversationId: number,
  { compute, keep, finish }: AnalysisRunOptions,
): Promise<AnalysisRun | null> {
  const started = performance.now();
  const claim = await withClient(pool, (client) => claimAnalysis(client, conversationId));
  if (claim === null) {
    if (finish) await inTransaction(pool, (client) => finish(client, null));
    return null;
  }
  const claimed = performance.now();
  const result = await compute(claim.input);
  const computed = performance.now();
  const runId = await inTransaction(pool, async (client) => {
    const written = await publishAnalysis(client, claim, result);
    await finish?.(client, written);
    return written;
  });
  const committed = performance.now();
  await withClient(pool, (client) => pruneAnalysis(client, conversationId, keep));
  return {
    conversationId,
    outcome: result.outcome,
    runId,
    votes: result.votes,
    participants: result.participants.ids.length,
    opinions: result.statements.ids.length,
    groups: result.groups.map(({ key, size, label }) => ({ key, size, label })),
    timings: {
      claim: claimed - started,
      ...result.timings,
      compute: computed - claimed,
      publish: committed - computed,
      total: committed - started,
    },
  };
}

async function withClient<T>(pool: Pool, work: (client: ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // What failed may have left the connection in the middle of something.
    client.release(failure);
  }
}

function inTransaction<T>(pool: Pool, work: (client: ClientBase) => Promise<T>): Promise<T> {
  return withClient(pool, async (client) => {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  });
}
