import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeError } from '../../scripts/lib/cli.ts';
import { type SqlWatcher, watchSql } from '../../scripts/lib/dev.ts';
import { type MigrationResult, migrateUp } from '../../scripts/lib/migrations.ts';
import { createEmptyDatabase, type TestDatabase } from '../lib/database.ts';
import { createFixture, type Fixture } from '../lib/fixture.ts';

type Event = { result: MigrationResult } | { error: unknown };

let db: TestDatabase;
let fixture: Fixture;
let watcher: SqlWatcher;
let wake: () => void;
let events: Event[];

beforeEach(async () => {
  db = await createEmptyDatabase();
  fixture = await createFixture({
    'migrations/0001_app.up.sql': 'create schema app;',
    'migrations/0001_app.down.sql': 'drop schema app;',
    'functions/app/one.sql': one('1'),
  });
  await migrateUp(db.connectionString, { directories: fixture.directories, queue: false });
  events = [];
  wake = () => undefined;
  watcher = await watchSql({
    connectionString: db.connectionString,
    directories: fixture.directories,
    onApplied: (result) => report({ result }),
    onError: (error) => report({ error }),
  });
});

afterEach(async () => {
  await watcher.close();
  await db.drop();
  await fixture.drop();
});

const one = (body: string) =>
  `create or replace function app.one() returns int\n  language sql\nreturn ${body};\n`;

function report(event: Event): void {
  events.push(event);
  wake();
}

/** The next event after those seen. */
async function next(): Promise<Event> {
  while (events.length === 0) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  return events.shift() as Event;
}

test('a saved function is applied', async () => {
  await fixture.write({ 'functions/app/one.sql': one('2') });
  expect(await next()).toMatchObject({
    result: { replaceables: { applied: ['functions/app/one.sql'] } },
  });
  expect((await db.pool.query('select app.one()')).rows).toEqual([{ one: 2 }]);
});

test('an error is told in full, and the next save repairs it', async () => {
  await fixture.write({ 'functions/app/one.sql': one('1 +') });
  const event = await next();
  const text = describeError((event as { error: unknown }).error);
  expect(text).toMatch(/functions\/app\/one\.sql:3:11: 42601: syntax error at or near ";"/);
  expect(text).toMatch(/\n {4}return 1 \+;\n {14}\^/);
  expect((await db.pool.query('select app.one()')).rows).toEqual([{ one: 1 }]);
  await fixture.write({ 'functions/app/one.sql': one('3') });
  expect(await next()).toMatchObject({ result: { migrations: [] } });
  expect((await db.pool.query('select app.one()')).rows).toEqual([{ one: 3 }]);
});

test('detail and hint of an error are told', async () => {
  await fixture.write({
    'functions/app/two.sql': `do $$ begin
      raise exception 'no' using errcode = 'AB001', detail = 'the detail', hint = 'the hint';
    end $$;`,
  });
  const text = describeError(((await next()) as { error: unknown }).error);
  expect(text).toMatch(/two\.sql:2:7: AB001: no\n/);
  expect(text).toMatch(/\n {2}detail: the detail\n {2}hint: the hint/);
});

test('new files, new folders, removed files and new migrations follow', async () => {
  await fixture.write({ 'functions/other/f.sql': 'create view app.f as select 1 as n;' });
  expect(await next()).toMatchObject({
    result: { replaceables: { applied: ['functions/other/f.sql'] } },
  });
  await fixture.remove('functions/app/one.sql');
  expect(await next()).toMatchObject({
    result: { replaceables: { dropped: ['function app.one()'] } },
  });
  await fixture.write({ 'migrations/0002_t.down.sql': 'drop table app.t;' });
  await fixture.write({ 'migrations/0002_t.up.sql': 'create table app.t (id int primary key);' });
  expect(await next()).toMatchObject({ result: { migrations: ['0002_t'] } });
});
