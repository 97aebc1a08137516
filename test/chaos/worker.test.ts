import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createWorlds, type Worlds, withOwner } from '../concurrency/lib/worlds.ts';
import { until } from '../host/until.ts';
import { type Host, STEPS, startHost, startStoppingWorker } from './lib/host.ts';
import { faultsOf, untilQuiet, withOwnerClient } from './lib/whole.ts';

/*
 * Workers that die in the midst of a job, and jobs that never end well. A worker is killed at each
 * step of its work; another one then does what is left, once the dead one's silence is noticed (its
 * last heartbeat is dated back, except in one test that waits for it). What fails holds up nothing
 * else, is seen by an operator, and runs again when it can.
 */

let worlds: Worlds;
let host: Host | null = null;

beforeAll(async () => {
  worlds = await createWorlds();
}, 120_000);

async function stopHost(): Promise<void> {
  await host?.stop();
  host = null;
}

afterEach(stopHost);

/** Runs `work` on a world of its own; the host that it started ends before the world does. */
async function withWorld(work: (connectionString: string) => Promise<void>): Promise<void> {
  await worlds.with(async (connectionString) => {
    try {
      await work(connectionString);
    } finally {
      await stopHost();
    }
  });
}

afterAll(async () => {
  await worlds.drop();
});

const sell = (item: number, amount = 5) =>
  `insert into proof.sale (item_id, buyer, amount) values (${item}, 'buyer 1', ${amount})`;

const query = (connectionString: string, sql: string) =>
  withOwnerClient(connectionString, (client) => client.query(sql));

/** The tick takes the job of a host for lost that has been silent for ten seconds. */
const silence = (connectionString: string) =>
  query(connectionString, `update millrace.host set seen_at = seen_at - interval '1 minute'`);

const JOBS = [
  { task: 'recompute', what: 'the job of a relation kept by key' },
  { task: 'refresh', what: 'the job of a refreshed relation' },
  { task: 'proof_note_item', what: 'the task of a reaction' },
] as const;

describe.each(JOBS)('$what', ({ task }) => {
  test.each(STEPS)('whose worker is killed: %s', { timeout: 120_000 }, async (step) => {
    await withWorld(async (connectionString) => {
      const ticks = await startHost(connectionString, { worker: false });
      const dying = await startStoppingWorker(connectionString, task, step);
      try {
        await query(connectionString, sell(1));
        await dying.printed('reached');
        // What changes now has to be seen by a later run, if not by this one.
        await query(connectionString, sell(1, 7));
        await dying.kill();
        await silence(connectionString);
        host = await startHost(connectionString, { ticker: false });
        await untilQuiet(connectionString);
      } finally {
        await dying.kill();
        await dying.remove();
        await ticks.stop();
      }
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });
});

test('a worker that was killed is missed after ten seconds', { timeout: 120_000 }, async () => {
  await withWorld(async (connectionString) => {
    const ticks = await startHost(connectionString, { worker: false });
    const dying = await startStoppingWorker(connectionString, 'proof_note_item', 'before work');
    try {
      await query(connectionString, sell(1));
      await dying.printed('reached');
      await dying.kill();
      const begun = performance.now();
      host = await startHost(connectionString, { ticker: false });
      await untilQuiet(connectionString);
      console.log(
        `jobs of a dead worker: done after ${((performance.now() - begun) / 1000).toFixed(1)} s`,
      );
      expect(performance.now() - begun).toBeLessThan(20_000);
    } finally {
      await dying.kill();
      await dying.remove();
      await ticks.stop();
    }
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});

test('if nobody gave back the jobs of the dead, the checker would see it', {
  timeout: 120_000,
}, async () => {
  await withWorld(async (connectionString) => {
    await query(
      connectionString,
      `create or replace function millrace.release_dead_hosts() returns void language sql as 'select'`,
    );
    const ticks = await startHost(connectionString, { worker: false });
    const dying = await startStoppingWorker(connectionString, 'recompute', 'claimed');
    try {
      await query(connectionString, sell(1));
      await dying.printed('reached');
      await dying.kill();
      await silence(connectionString);
      host = await startHost(connectionString, { ticker: false });
      await expect(untilQuiet(connectionString, 3_000)).rejects.toThrow(/has job \d+ .*locked 2/);
    } finally {
      await dying.kill();
      await dying.remove();
      await ticks.stop();
    }
  });
});

describe('a poison', () => {
  /** Sells every item, so that each has a task; item 1 is the poison. */
  const sellAll = `insert into proof.sale (item_id, buyer, amount)
    select id, 'buyer 2', 3 from proof.item`;

  const status = (connectionString: string, name: string) =>
    withOwner(connectionString, async (client) => {
      const { rows } = await client.query(
        `select s.state, s.failed_keys::int, s.dead_keys::int, s.running::int, s.last_error
        from millrace.status s where s.name = $1`,
        [name],
      );
      return rows[0];
    });

  const queue = (connectionString: string, name: string) =>
    withOwner(connectionString, async (client) => {
      const { rows } = await client.query(
        `select q.key, q.job_id, q.failures, q.last_error, q.dead_at from millrace.refresh_queue q
        where q.name = $1 order by q.key`,
        [name],
      );
      return rows;
    });

  const noted = (connectionString: string) =>
    withOwner(connectionString, async (client) => {
      const { rows } = await client.query<{ item_id: string }>(
        'select item_id from proof.noted_item order by item_id',
      );
      return rows.map(({ item_id }) => Number(item_id));
    });

  const others = Array.from({ length: 40 }, (_, item) => item).filter((item) => item !== 1);

  test('task that always throws: others go on, it dies in sight, run_now revives it', {
    timeout: 120_000,
  }, async () => {
    await withWorld(async (connectionString) => {
      await query(
        connectionString,
        `create function proof.refuse() returns trigger language plpgsql as $$
        begin raise exception 'item % is poison', new.item_id; end $$;
        create trigger refuse before insert or update on proof.noted_item for each row
          when (new.item_id = 1) execute function proof.refuse()`,
      );
      host = await startHost(connectionString);
      await query(connectionString, sellAll);
      expect(
        await until(
          () => noted(connectionString),
          (all) => all.length >= 39,
          60_000,
        ),
      ).toEqual(others);
      const failing = await until(
        () => queue(connectionString, 'proof_item_sold'),
        (rows) => rows.length === 1 && rows[0].failures > 0,
        60_000,
      );
      expect(failing).toMatchObject([{ key: [1], last_error: 'item 1 is poison', dead_at: null }]);

      // Twenty-five attempts take days: let the next be its last.
      await query(
        connectionString,
        `update graphile_worker._private_jobs set attempts = max_attempts - 1, run_at = now()
        where locked_at is null`,
      );
      await until(
        () => status(connectionString, 'proof_item_sold'),
        (it) => it.dead_keys === 1,
        60_000,
      );
      expect(await status(connectionString, 'proof_item_sold')).toMatchObject({
        state: 'active',
        dead_keys: 1,
        running: 0,
        last_error: 'item 1 is poison',
      });
      expect(await queue(connectionString, 'proof_item_sold')).toMatchObject([
        { key: [1], job_id: null, last_error: 'item 1 is poison', dead_at: expect.any(Date) },
      ]);

      await query(connectionString, 'drop trigger refuse on proof.noted_item');
      await query(connectionString, `select millrace.run_now('proof_item_sold')`);
      await untilQuiet(connectionString);
      await stopHost();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });

  test('task that hangs: others go on, it is seen, and runs again when it is ended', {
    timeout: 120_000,
  }, async () => {
    await withWorld(async (connectionString) => {
      await withOwner(connectionString, async (holder) => {
        await query(
          connectionString,
          `create function proof.hang() returns trigger language plpgsql as $$
          begin perform pg_advisory_xact_lock(471105); return new; end $$;
          create trigger hang before insert or update on proof.noted_item for each row
            when (new.item_id = 1) execute function proof.hang()`,
        );
        await holder.query('select pg_advisory_lock(471105)');
        host = await startHost(connectionString);
        await query(connectionString, sellAll);
        expect(
          await until(
            () => noted(connectionString),
            (all) => all.length >= 39,
            60_000,
          ),
        ).toEqual(others);
        expect(
          await until(
            () => queue(connectionString, 'proof_item_sold'),
            (rows) => rows.length === 1,
            60_000,
          ),
        ).toMatchObject([{ key: [1], job_id: expect.any(String), dead_at: null }]);
        // A change of its key waits for it; those of others do not.
        await query(connectionString, `${sell(1)}; ${sell(2)}`);
        await until(
          () =>
            withOwner(connectionString, async (client) => {
              const { rows } = await client.query(
                'select sales from proof.noted_item where item_id = 2',
              );
              return Number(rows[0]?.sales);
            }),
          (sales) => sales === 2,
          60_000,
        );
        await holder.query('select pg_advisory_unlock(471105)');
      });
      await untilQuiet(connectionString);
      await stopHost();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });

  test('key whose definition divides by zero: others go on, it is named, it heals', {
    timeout: 120_000,
  }, async () => {
    await withWorld(async (connectionString) => {
      await query(
        connectionString,
        `create view proof.share_definition as
        select i.id as item_id, 1000 / (i.quantity - 13) as share from proof.item i;
        select millrace.materialize('proof.share', 'proof.share_definition', '{item_id}',
          sources => '{"proof.item": "id"}', debounce => '40 ms', max_wait => '400 ms');
        create view proof.share_view_definition as select * from proof.share_definition;
        select millrace.materialize('proof.share_view', 'proof.share_view_definition', '{item_id}',
          'refresh', debounce => '40 ms', max_wait => '400 ms')`,
      );
      host = await startHost(connectionString);
      const share = (relation: string, item: number) =>
        withOwner(connectionString, async (client) => {
          const { rows } = await client.query(
            `select share from proof.${relation} where item_id = ${item}`,
          );
          return rows[0]?.share as number;
        });
      await untilQuiet(connectionString);
      const before = await share('share_view', 2);
      await query(connectionString, 'update proof.item set quantity = 13 where id = 1');
      await until(
        () => status(connectionString, 'proof.share'),
        (it) => it.failed_keys === 1,
        60_000,
      );
      await until(
        () => status(connectionString, 'proof.share_view'),
        (it) => it.state === 'failed',
        60_000,
      );

      await query(connectionString, 'update proof.item set quantity = 14 where id = 2');
      await until(
        () => share('share', 2),
        (value) => value === 1000,
        60_000,
      );
      expect(await share('share_live', 2)).toBe(1000);
      await expect(share('share_live', 1)).rejects.toMatchObject({ code: '22012' });
      // The refreshed one serves what it has.
      expect(await share('share_view', 2)).toBe(before);
      expect((await status(connectionString, 'proof.share')).last_error).toMatch(
        /division by zero/,
      );
      expect(await queue(connectionString, 'proof.share')).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ key: [1], last_error: expect.stringMatching(/^22012/) }),
        ]),
      );

      await query(connectionString, 'update proof.item set quantity = 12 where id = 1');
      await untilQuiet(connectionString);
      expect(await share('share', 1)).toBe(-1000);
      expect(await share('share_view', 2)).toBe(1000);
      await stopHost();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });
});
