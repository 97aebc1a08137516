import { createHash } from 'node:crypto';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { log } from './log.ts';
import { planShape } from './plan-shape.ts';

/*
 * Statements that took long, with the plan that they have. auto_explain would say with which plan a
 * call ran, but it has to be loaded into the server; so explain is asked right after a slow call, with
 * the same values and under the same role, now and then: it is what the planner decides then, which is
 * the plan of the slow call unless statistics changed in between or a prepared statement has gone over
 * to its generic plan. Explain does not run the statement. Values are never kept.
 */

/** Milliseconds from which a statement is slow. */
export const SLOW = 50;
/** Milliseconds before a statement is explained again. */
const EXPLAIN_AGAIN = 10 * 60_000;
/** Statements that are kept until the next report. */
const PLACES = 50;

export interface Executed {
  text: string;
  /** Null: several statements that were sent together, which are not explained. */
  values: readonly unknown[] | null;
  /** The settings that it ran under: role and account. */
  settings: Record<string, string | undefined>;
  /** The operation that sent it, if it is known. */
  operation?: string | null;
  /** Milliseconds. */
  duration: number;
}

export interface SlowStatement {
  hash: string;
  statement: string;
  planHash: string;
  plan: string | null;
  operation: string | null;
  calls: number;
  total: number;
  max: number;
}

export interface SlowStatements {
  /** Notes a statement if it was slow. */
  observe(executed: Executed): void;
  /** Those since the last call. */
  take(): SlowStatement[];
  /** Resolves when no explain is under way. */
  settled(): Promise<void>;
}

/** @param withPgClient runs an explain; one at a time. */
export function makeSlowStatements(
  withPgClient: WithPgClient,
  { slow = SLOW, explainAgain = EXPLAIN_AGAIN } = {},
): SlowStatements {
  let kept = new Map<string, SlowStatement>();
  /** The last plan of each statement, and when it was asked for. */
  const plans = new Map<string, { at: number; hash: string; text: string | null }>();
  let explaining: Promise<void> | null = null;

  function note(hash: string, { text, operation, duration }: Executed): void {
    const plan = plans.get(hash);
    const key = `${hash}:${plan?.hash ?? ''}`;
    let statement = kept.get(key);
    if (statement === undefined) {
      if (kept.size >= PLACES) return;
      statement = {
        hash,
        statement: text,
        planHash: plan?.hash ?? '',
        plan: plan?.text ?? null,
        operation: operation ?? null,
        calls: 0,
        total: 0,
        max: 0,
      };
      kept.set(key, statement);
    }
    statement.calls += 1;
    statement.total += duration;
    statement.max = Math.max(statement.max, duration);
  }

  async function explain(hash: string, executed: Executed): Promise<void> {
    let shape: { hash: string; text: string | null } = { hash: '', text: null };
    try {
      const { rows } = await withPgClient(
        { ...executed.settings, transaction_read_only: 'on' },
        (client) =>
          client.query<{ 'QUERY PLAN': unknown }>({
            text: `explain (costs off, format json) ${executed.text}`,
            values: [...(executed.values ?? [])],
          }),
      );
      shape = planShape(rows[0]?.['QUERY PLAN']);
    } catch (error) {
      log.debug({ err: error }, 'a slow statement could not be explained');
    }
    plans.delete(hash);
    plans.set(hash, { at: performance.now(), ...shape });
    if (plans.size > 4 * PLACES) plans.delete(plans.keys().next().value as string);
    note(hash, executed);
  }

  return {
    observe(executed) {
      if (
        executed.duration < slow ||
        !/^\s*(select|with|insert|update|delete)\b/i.test(executed.text)
      )
        return;
      const hash = createHash('sha256').update(executed.text).digest('hex').slice(0, 32);
      const plan = plans.get(hash);
      const isDue = plan === undefined || performance.now() - plan.at >= explainAgain;
      if (!isDue || explaining !== null || executed.values === null) {
        note(hash, executed);
        return;
      }
      explaining = explain(hash, executed).finally(() => {
        explaining = null;
      });
    },
    take() {
      const taken = [...kept.values()].sort((a, b) => b.total - a.total);
      kept = new Map();
      return taken;
    },
    async settled() {
      await explaining;
    },
  };
}
