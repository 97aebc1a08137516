import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import {
  type OperationFilter,
  operations,
  planTransaction,
} from '../../concurrency/lib/operations.ts';
import { createRandom } from '../../concurrency/lib/random.ts';
import { isDisconnect } from '../../concurrency/lib/session.ts';

/*
 * Clients that write while something goes wrong: the transactions of the random histories, again and
 * again until they are stopped. An error of one ends that transaction only; a connection that is gone
 * is opened again when the server takes it.
 */

export interface LoadOptions {
  connectionString: string;
  seed: string;
  /** Default 4. */
  writers?: number;
  filter?: OperationFilter;
  /** Each operation in a transaction of its own. Default false. */
  alone?: boolean;
  /** Milliseconds between two transactions of a writer, at most. Default 10. */
  rest?: number;
}

export interface LoadReport {
  committed: number;
  rolledBack: number;
  /** Commits of which nobody knows what became of them. */
  unknown: number;
  disconnected: number;
  /** Errors by SQLSTATE. */
  failed: Record<string, number>;
  /** What a deadlock was about, as the server says. */
  deadlocks: string[];
}

export interface Load {
  report: LoadReport;
  /** Resolves when so many more transactions have committed. */
  committed(transactions: number): Promise<void>;
  stop(): Promise<LoadReport>;
}

/** Starts writers; they go on until they are stopped. */
export function startLoad(options: LoadOptions): Load {
  const possible = operations({ ...options.filter });
  const report: LoadReport = {
    committed: 0,
    rolledBack: 0,
    unknown: 0,
    disconnected: 0,
    failed: {},
    deadlocks: [],
  };
  let over = false;
  let failure: unknown = null;

  async function transact(client: pg.Client, plan: ReturnType<typeof planTransaction>) {
    await client.query(`begin isolation level ${plan.isolation}`);
    for (const { statements, undone } of plan.steps) {
      if (undone) await client.query('savepoint undone');
      for (const { sql, copy } of statements) {
        if (copy === undefined) await client.query(sql);
        else await pipeline(Readable.from([copy]), client.query(copyFrom(sql)));
      }
      if (undone) await client.query('rollback to savepoint undone');
    }
    await pause(plan.linger);
  }

  async function writer(index: number): Promise<void> {
    const random = createRandom(`${options.seed}/load ${index}`);
    let client: pg.Client | null = null;
    while (!over) {
      let committing = false;
      let plan: ReturnType<typeof planTransaction> | null = null;
      try {
        client ??= await connect(options.connectionString);
        plan = planTransaction(random, possible, options.alone);
        await transact(client, plan);
        committing = !plan.rollback;
        await client.query(plan.rollback ? 'rollback' : 'commit');
        report[plan.rollback ? 'rolledBack' : 'committed'] += 1;
        await pause(random.between(0, options.rest ?? 10));
      } catch (error) {
        const code = (error as { code?: string }).code ?? '';
        if (isDisconnect(error) || code === '53300') {
          report.disconnected += 1;
          if (committing) report.unknown += 1;
          await client?.end().catch(() => undefined);
          client = null;
          await pause(50);
        } else if (/^[0-9A-Z]{5}$/.test(code)) {
          report.failed[code] = (report.failed[code] ?? 0) + 1;
          if (code === '40P01') {
            const { detail, where } = error as pg.DatabaseError;
            report.deadlocks.push(`${plan?.steps[0]?.statements[0]?.sql}: ${detail} ${where}`);
          }
          await client?.query('rollback').catch(() => undefined);
        } else {
          throw error;
        }
      }
    }
    await client?.end().catch(() => undefined);
  }

  const running = Promise.all(
    Array.from({ length: options.writers ?? 4 }, (_, index) => writer(index)),
  ).catch((error: unknown) => {
    failure = error;
  });

  return {
    report,
    async committed(transactions) {
      const until = report.committed + transactions;
      while (report.committed < until) {
        if (failure !== null) throw failure;
        await pause(5);
      }
    },
    async stop() {
      over = true;
      await running;
      if (failure !== null) throw failure;
      return report;
    },
  };
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    options: '-c role=app_owner',
    application_name: 'load',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
