import { afterAll, beforeAll, expect, test } from 'vitest';
import { installEngine } from '../../scripts/lib/engine.ts';
import { runScript } from '../host/process.ts';
import { createForeignDatabase, type ForeignDatabase } from '../lib/foreign-database.ts';

let db: ForeignDatabase;

beforeAll(async () => {
  db = await createForeignDatabase();
  await installEngine(db.url());
});

afterAll(async () => {
  await db.drop();
});

async function status(...args: string[]): Promise<{ code: number | string; output: string }> {
  const script = runScript('status', { DATABASE_URL: db.url() }, args);
  return { code: await script.ended, output: script.output() };
}

test('status shows counters and tables whose partitions are kept up', async () => {
  expect(await status()).toEqual({ code: 0, output: 'Nothing is declared.\n' });
  expect(await status('--json')).toEqual({ code: 0, output: '[]\n' });
  await db.run(`
    create schema s;
    create table s.day (id date primary key, events bigint not null default 0);
    create table s.event (at timestamptz not null, day date) partition by range (at);
    select millrace.partition_by_time('s.event', 'at', period => '1 day', premake => 2,
      default_partition => true);
    select millrace.counter('s.day.events', 's.event', '{day}')`);
  const good = await status('--json');
  expect(JSON.parse(good.output)).toMatchObject([
    { name: 's.day.events', kind: 'counter', state: 'active' },
    {
      name: 's.event',
      kind: 'partitions',
      state: 'active',
      ahead: 2,
      premake: 2,
      defaultRows: 0,
      alarm: null,
    },
  ]);
  expect(good.code).toBe(0);
  expect((await status()).output).toMatch(
    /^s\.day\.events {2}counter .*\ns\.event {7}partitions {3}active {7}\d made, 2 of 2 ahead\n$/,
  );
});

test('rows in a default partition are an alarm, and its exit status', async () => {
  await db.run(`insert into s.event values ('1990-01-01', null)`);
  const json = await status('--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.output)[1]).toMatchObject({
    state: 'alarm',
    defaultRows: 1,
    alarm: expect.stringMatching(/default/),
  });
  const table = await status();
  expect(table.code).toBe(1);
  expect(table.output).toMatch(/2 of 2 ahead, rows in the default one: 1 {2}\S+/);
});
