import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { CARD, CLEAN, checkRows, declare, GALLERY, settle } from './lib/relations.ts';

/*
 * Reconcile of derived relations and reactions: it finds each planted fault, names its cause, and
 * repairs it; it takes nothing for a fault that is only waiting.
 */

let db: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

beforeEach(async () => {
  await client.query(CLEAN);
  await client.query(GALLERY);
  await declare(client, CARD);
});

async function reconcile(name = 'd.card', repair = false) {
  const { rows } = await client.query(
    `select keys_checked::integer as checked, keys_drifted::integer as drifted, repaired, cause,
       examples from millrace.reconcile($1, $2)`,
    [name, repair],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

/** With the triggers off, as a restore or logical replication writes. */
async function unseen(statement: string): Promise<void> {
  const superuser = await db.pool.connect();
  try {
    await superuser.query('reset role; set role postgres');
    await superuser.query('begin; set local session_replication_role = replica');
    await superuser.query(statement);
    await superuser.query('commit');
  } finally {
    superuser.release(true);
  }
}

describe('drift', () => {
  const FAULTS: [what: string, cause: RegExp, plant: () => Promise<unknown>][] = [
    [
      'a row written directly',
      /d\.card was written directly by \w+ at/,
      () => client.query("update d.card set title = 'wrong' where album_id = 1"),
    ],
    [
      'a row deleted directly',
      /written directly/,
      () => client.query('delete from d.card where album_id = 1'),
    ],
    [
      'a row too many',
      /written directly/,
      () => client.query("insert into d.card (album_id, title) values (777, 'ghost')"),
    ],
    ['a truncate', /written directly/, () => client.query('truncate d.card')],
    [
      'a disabled trigger',
      /trigger _900_millrace_update of d\.album is disabled/,
      () =>
        client.query(`alter table d.album disable trigger _900_millrace_update;
          update d.album set title = 'unseen' where id = 1`),
    ],
    [
      'a missing trigger',
      /trigger _900_millrace_delete of d\.photo is missing/,
      () =>
        client.query(`drop trigger _900_millrace_delete on d.photo;
          delete from d.photo where album_id = 1`),
    ],
    [
      'a replica role',
      /session_replication_role = replica/,
      () => unseen("update d.album set title = 'unseen' where id = 1"),
    ],
    [
      'an incomplete mapping',
      /a mapping in sources misses keys/,
      async () => {
        await declare(client, {
          ...CARD,
          sources: { ...CARD.sources, 'd.person': null },
        });
        await client.query("update d.person set name = 'unmapped' where id = 1");
      },
    ],
    [
      'a nested view that was changed',
      /a view that d\.card_definition reads was changed: declare it again/,
      async () => {
        await client.query('create view d.named as select id, name from d.person');
        await declare(client, {
          ...CARD,
          select: CARD.select
            .replace('d.person p', 'd.named p')
            .replace('p.name', 'max(p.name)')
            .replace('group by a.id, p.name', 'group by a.id'),
        });
        await client.query(
          "create or replace view d.named as select id, name || '!' as name from d.person",
        );
      },
    ],
  ];

  test.each(FAULTS)('by %s is found, named and repaired', async (_, cause, plant) => {
    await plant();
    await settle(client);
    const found = await reconcile();
    expect(found.drifted).toBeGreaterThan(0);
    expect(found).toMatchObject({ repaired: false, cause: expect.stringMatching(cause) });
    expect(found.examples[0]).toEqual({
      key: [expect.any(Number)],
      stored: expect.toSatisfy((row: unknown) => row === null || typeof row === 'object'),
      truth: expect.toSatisfy((row: unknown) => row === null || typeof row === 'object'),
    });
    expect(await reconcile('d.card', true)).toMatchObject({
      drifted: found.drifted,
      repaired: true,
    });
    expect(await reconcile()).toMatchObject({ drifted: 0, cause: null });
    await checkRows(client, CARD);
    const { rows: logged } = await client.query(
      "select repaired from millrace.drift_log where name = 'd.card' order by id desc limit 2",
    );
    expect(logged).toEqual([{ repaired: true }, { repaired: false }]);
  });

  test('of a table with partitions is likely by one of them', async () => {
    await client.query(`
      create table d.event (id bigint, day date, primary key (id, day)) partition by range (day);
      create table d.event_1 partition of d.event for values from ('2024-01-01') to ('2025-01-01');
      create view d.per_day_definition as select day, count(*) as n from d.event group by day;
      select millrace.materialize('d.per_day', 'd.per_day_definition', '{day}',
        sources => '{"d.event": "day"}');
      insert into d.event values (1, '2024-05-01');
      select millrace.run_now('d.per_day');
      insert into d.event_1 values (2, '2024-05-01')`);
    expect(await reconcile('d.per_day')).toMatchObject({
      drifted: 1,
      cause: expect.stringMatching(/a partition of d\.event was written/),
    });
    await reconcile('d.per_day', true);
    await checkRows(client, { target: 'd.per_day' });
  });

  test('of a refreshed relation is found and repaired', async () => {
    await declare(client, CARD, '', 'refresh');
    await unseen("update d.album set title = 'unseen' where id = 1");
    expect(await reconcile()).toMatchObject({ drifted: 1, repaired: false });
    expect(await reconcile('d.card', true)).toMatchObject({ drifted: 1, repaired: true });
    await checkRows(client, CARD);
  });

  test('of a reaction is a trigger that is off, and a repair runs all of its keys', async () => {
    await client.query(`select millrace.react('r_look', 'd.photo', '{album_id}', 'look')`);
    expect(await reconcile('r_look')).toMatchObject({ drifted: 0, cause: null });
    await client.query('alter table d.photo disable trigger _900_millrace_insert');
    expect(await reconcile('r_look', true)).toMatchObject({
      drifted: 1,
      cause: expect.stringMatching(/_900_millrace_insert of d\.photo is disabled/),
    });
    const { rows } = await client.query(
      `select waiting_keys::integer as waiting, (select count(distinct album_id)::integer from d.photo) as keys
       from millrace.status where name = 'r_look'`,
    );
    expect(rows[0].waiting).toBe(rows[0].keys);
  });
});

describe('what only waits', () => {
  test.each([
    ['is pending', 'select'],
    ['is marked', 'select millrace.drain()'],
  ])('is no drift while it %s', async (_, then) => {
    await client.query("update d.album set title = 'new'; delete from d.photo where album_id = 2");
    await client.query(then);
    expect(await reconcile()).toMatchObject({ drifted: 0, checked: 10 });
  });

  test('is no drift of a refreshed relation', async () => {
    await declare(client, CARD, '', 'refresh');
    await client.query("update d.album set title = 'new'");
    expect(await reconcile()).toMatchObject({ drifted: 0 });
  });

  test('does not hide a fault of another key', async () => {
    await client.query("update d.album set title = 'new' where id = 2");
    await client.query("update d.card set title = 'wrong' where album_id in (1, 2)");
    expect(await reconcile()).toMatchObject({ drifted: 1 });
  });

  test('is no drift under writers, drains and recomputes', async () => {
    let stop = false;
    const writers = [1, 2].map(async (n) => {
      const writer = await db.connect();
      for (let i = 0; !stop; i += 1) {
        await writer.query(
          `update d.photo set size = $1, album_id = $2 where id % 2 = $3 and id % 5 = $4`,
          [i % 90, (i % 9) + 1, n - 1, i % 5],
        );
      }
    });
    const worker = (async () => {
      const by = await db.connect();
      while (!stop) {
        await by.query('select millrace.drain()');
        await by.query(`select millrace.recompute_batch(id, everything => true)
          from millrace.derivation where name = 'd.card'`);
      }
    })();
    const found: unknown[] = [];
    try {
      for (let i = 0; i < 25; i += 1) found.push((await reconcile()).drifted);
    } finally {
      stop = true;
      await Promise.all([...writers, worker]);
    }
    expect(found.filter((drifted) => drifted !== 0)).toEqual([]);
    await settle(client);
    await checkRows(client, CARD);
  });
});

describe('in batches', () => {
  const batches = (payload: object) =>
    client.query('call millrace.reconcile_batches($1)', [
      JSON.stringify({ name: 'd.card', ...payload }),
    ]);
  const plant = () => client.query("update d.card set title = 'wrong' where album_id in (1, 9)");

  test('of any size everything is compared and repaired', async () => {
    await plant();
    await batches({ size: 3 });
    await checkRows(client, CARD);
    const { rows } = await client.query(
      'select keys_checked::integer as checked, keys_drifted::integer as drifted from millrace.drift_log order by id desc limit 1',
    );
    expect(rows).toEqual([{ checked: 10, drifted: 2 }]);
  });

  test('that only report nothing is repaired', async () => {
    await plant();
    await batches({ repair: false });
    expect(await reconcile()).toMatchObject({ drifted: 2 });
  });

  test('of a rolling reconcile all come by in the end', async () => {
    await plant();
    await batches({ rolling: true, size: 4 });
    expect(await reconcile(), 'the last key has not come by').toMatchObject({ drifted: 1 });
    await batches({ rolling: true, size: 4 });
    await batches({ rolling: true, size: 4 });
    await checkRows(client, CARD);
    const { rows } = await client.query(
      "select rolling_after, rolled_at is not null as rolled from millrace.derivation where name = 'd.card'",
    );
    expect(rows).toEqual([{ rolling_after: null, rolled: true }]);
  });

  test('of a sample of a small relation, all are compared', async () => {
    await plant();
    await batches({ sample: 100 });
    await checkRows(client, CARD);
  });

  test('rows before the first key and behind the last are found too', async () => {
    await unseen("insert into d.album (id, title) values (-5, 'first'), (5000, 'last')");
    await batches({ size: 3 });
    await checkRows(client, CARD);
  });
});
