import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWireProxy, type WireProxy } from '../../scripts/bench/wire-proxy.ts';
import { type FlushStatement, flush } from '../../scripts/lib/pg-flush.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

let db: TestDatabase;
let proxy: WireProxy;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  proxy = await startWireProxy(db.connectionString);
  client = new pg.Client({ connectionString: proxy.connectionString });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await proxy.close();
  await db.drop();
});

const statement = (text: string, values: unknown[] = []): FlushStatement => ({
  name: text.slice(0, 60),
  text,
  values,
});

describe('a flush', () => {
  test('is one round trip and one transaction, whatever it holds', async () => {
    proxy.reset();
    const results = await flush(client, [
      { ...statement("select set_config('app.account_id', $1, true)", ['12']), discard: true },
      statement("select current_setting('app.account_id') as id, txid_current() as transaction"),
      { ...statement('select txid_current(), $1::int, $2::text', [3, null]), arrayMode: true },
      statement('create temporary table filled as select generate_series(1, $1::int) as n', [7]),
      statement('update filled set n = n where n > $1', [2]),
    ]);
    expect(proxy.counts()).toMatchObject({ statements: 5, roundTrips: 1 });
    const transaction = (results[1]!.rows[0] as { transaction: string }).transaction;
    expect(results.map(({ rows }) => rows)).toEqual([
      [],
      [{ id: '12', transaction }],
      [[transaction, 3, null]],
      [],
      [],
    ]);
    expect(results[4]?.rowCount).toBe(5);
    expect(client.getTransactionStatus()).toBe('I');
    const { rows } = await client.query("select current_setting('app.account_id', true) as id");
    expect(rows).toEqual([{ id: '' }]);
  });

  test('undoes everything when one statement fails, and runs none of the later ones', async () => {
    await client.query('create temporary table ran (what text)');
    const outcome = flush(client, [
      statement("insert into ran values ('before')"),
      statement('select 1 / $1::int', [0]),
      statement("insert into ran values ('after') returning set_config('app.after', 'x', false)"),
    ]);
    await expect(outcome).rejects.toMatchObject({ code: '22012' });
    expect(client.getTransactionStatus()).toBe('I');
    const { rows } = await client.query(
      "select (select count(*) from ran) as ran, current_setting('app.after', true) as after",
    );
    expect(rows).toEqual([{ ran: '0', after: null }]);
  });

  test('knows which statements are prepared after a failure at any place', async () => {
    const good = statement('select 1 as good');
    const broken = statement('select syntax error here');
    const late = statement('select 2 as late');
    for (const order of [
      [good, broken, late],
      [late, good],
      [broken],
      [late, broken, good],
      [good, late],
    ]) {
      const outcome = flush(client, order);
      if (order.includes(broken)) await expect(outcome).rejects.toMatchObject({ code: '42601' });
      else expect(await outcome).toHaveLength(2);
    }
  });

  test('keeps a bounded number of prepared statements, the ones used last', async () => {
    const numbered = (number: number) => statement(`select ${number} as number`);
    for (let number = 0; number < 450; number += 1) {
      const failing = number % 7 === 0 ? [statement('select 1 / $1::int', [0])] : [];
      const outcome = flush(client, [numbered(0), numbered(number), ...failing]);
      if (failing.length > 0) await expect(outcome).rejects.toMatchObject({ code: '22012' });
      else expect((await outcome)[1]?.rows).toEqual([{ number }]);
    }
    const { rows } = await client.query<{ name: string }>(
      'select name from pg_prepared_statements',
    );
    const names = rows.map(({ name }) => name);
    expect(names.length).toBeLessThanOrEqual(205);
    expect(names).toEqual(expect.arrayContaining(['select 0 as number', 'select 449 as number']));
    expect(names).not.toContain('select 100 as number');
  });

  test('carries values of every size and kind, and refuses what has no text', async () => {
    const long = 'ü'.repeat(200_000);
    const [result] = await flush(client, [
      statement('select $1::text as a, $2::bigint as b, $3::boolean as c, $4::bytea as d', [
        long,
        9_007_199_254_740_993n,
        true,
        Buffer.from([0, 255]),
      ]),
    ]);
    expect(result?.rows).toEqual([
      { a: long, b: '9007199254740993', c: true, d: Buffer.from([0, 255]) },
    ]);
    await expect(flush(client, [statement('select $1', [{ a: 1 }])])).rejects.toThrow(TypeError);
    expect((await flush(client, [statement('select 1 as one')]))[0]?.rows).toEqual([{ one: 1 }]);
  });

  test('fails when the connection ends under it', async () => {
    const doomed = new pg.Client({ connectionString: db.connectionString });
    doomed.on('error', () => undefined);
    await doomed.connect();
    const { rows } = await doomed.query('select pg_backend_pid() as pid');
    const outcome = flush(doomed, [statement('select pg_sleep(60)')]);
    const failed = expect(outcome).rejects.toThrow();
    await client.query('select pg_terminate_backend($1)', [rows[0].pid]);
    await failed;
  });

  test('gives up on a server that does not answer', async () => {
    const impatient = new pg.Client({ connectionString: db.connectionString, query_timeout: 50 });
    impatient.on('error', () => undefined);
    await impatient.connect();
    await expect(flush(impatient, [statement('select pg_sleep(60)')])).rejects.toThrow(/timeout/);
    await impatient.end();
  });
});
