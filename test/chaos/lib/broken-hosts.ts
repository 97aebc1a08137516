import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { ownerConfig } from '../../../scripts/lib/pg-owner.ts';
import { isDisconnect } from '../../concurrency/lib/session.ts';

/*
 * Tickers with a mistake each, as a host might make it: what kills and cuts connections has to find
 * them.
 */

export interface BrokenTicker {
  /** Sales whose log rows it had in its hands when its connection was cut. */
  lost(): number;
  stop(): Promise<void>;
}

/**
 * Acknowledges before it works: takes the rows of the log of proof.sale in one transaction, and
 * drains them in the next. Between the two it calls `between`, if it has any.
 */
export function startForgetfulTicker(
  connectionString: string,
  between: () => Promise<void>,
): BrokenTicker {
  let over = false;
  let lost = 0;

  async function tickUntilLost(): Promise<void> {
    const client = new pg.Client(ownerConfig(connectionString, 'ticker'));
    client.on('error', () => undefined);
    let inHand = 0;
    try {
      await client.connect();
      while (!over) {
        const { rows } = await client.query<{ taken: unknown[] }>(
          `with taken as (delete from millrace_log.proof__sale returning *)
          select coalesce(jsonb_agg(t), '[]') as taken from taken t`,
        );
        const taken = rows[0]!.taken;
        inHand = taken.length;
        if (inHand > 0) await between();
        await client.query('begin');
        await client.query(
          `insert into millrace_log.proof__sale
          select * from jsonb_populate_recordset(null::millrace_log.proof__sale, $1)`,
          [JSON.stringify(taken)],
        );
        await client.query('select millrace.tick()');
        await client.query('commit');
        inHand = 0;
        await pause(20);
      }
    } catch (error) {
      if (!isDisconnect(error)) throw error;
      lost += inHand;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  const running = (async () => {
    while (!over) await tickUntilLost();
  })();
  return {
    lost: () => lost,
    async stop() {
      over = true;
      await running;
    },
  };
}

/** Makes whoever holds the lease the only one who may drain, for as long as the row is there. */
export const LEASE = `
  create table proof.lease (holder integer primary key);
  create or replace function millrace.try_lock_engine()
    returns boolean
    language sql
    volatile
  return pg_try_advisory_xact_lock(hashtextextended('millrace', 0))
    and not exists (select from proof.lease l where l.holder <> pg_backend_pid());
`;

/** Holds a lease while it ticks, which nobody takes from it when it dies. */
export async function tickWithLease(connectionString: string): Promise<void> {
  const client = new pg.Client(ownerConfig(connectionString, 'ticker'));
  await client.connect();
  process.stdout.write('ticking\n');
  for (;;) {
    await client.query('insert into proof.lease values (pg_backend_pid())');
    await client.query('select millrace.tick()');
    await client.query('delete from proof.lease where holder = pg_backend_pid()');
    await pause(20);
  }
}
