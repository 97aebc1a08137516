import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import {
  MigrationError,
  type MigrationOptions,
  migrateDown,
  migrateUp,
  migrationStatus,
  verifyMigrations,
} from '../../scripts/lib/migrations.ts';
import { startTestCluster } from '../../scripts/lib/scratch.ts';
import { describeSchema } from '../../scripts/lib/snapshot.ts';
import { SqlFileError } from '../../scripts/lib/sql-error.ts';
import { createEmptyDatabase, type TestDatabase } from '../lib/database.ts';
import { createFixture, type Fixture } from '../lib/fixture.ts';

let db: TestDatabase;
let fixture: Fixture;
let options: MigrationOptions;

beforeEach(async () => {
  db = await createEmptyDatabase();
  fixture = await createFixture({
    'migrations/0001_first.up.sql': 'create schema app;\ncreate table app.a (id int primary key);',
    'migrations/0001_first.down.sql': 'drop table app.a;\ndrop schema app;',
    'migrations/0002_second.up.sql': 'create table app.b (id int primary key);',
    'migrations/0002_second.down.sql': 'drop table app.b;',
  });
  options = { directories: fixture.directories, queue: false };
});

afterEach(async () => {
  await db.drop();
  await fixture.drop();
});

/** The schema, and the rows that migrations fill. */
async function schema(): Promise<string> {
  const client = new pg.Client({ connectionString: db.connectionString });
  await client.connect();
  try {
    const description = await describeSchema(client);
    const { rows } = await client.query(
      "select to_regclass('app_operator.alert_rule') is not null as has_rules",
    );
    if (!rows[0].has_rules) return description;
    const rules = await client.query('select to_json(r) as rule from app_operator.alert_rule r');
    return [description, ...rules.rows.map(({ rule }) => JSON.stringify(rule)).sort()].join('\n');
  } finally {
    await client.end();
  }
}

async function failure<T extends Error>(promise: Promise<unknown>): Promise<T> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: T) => error,
  );
}

test('each migration of the checkout goes up, down and up to an equal schema', async () => {
  const names = (await readdir(join(ROOT, 'db/migrations')))
    .filter((name) => name.endsWith('.up.sql'))
    .map((name) => name.replace('.up.sql', ''));
  expect(names.length).toBeGreaterThan(0);
  const one: MigrationOptions = { count: 1, replaceables: false, queue: false };
  await migrateUp(db.connectionString, { ...one, count: 0 });
  const states = [await schema()];
  for (const name of names) {
    expect((await migrateUp(db.connectionString, one)).migrations).toEqual([name]);
    const after = await schema();
    expect(after, `${name} changes nothing`).not.toBe(states.at(-1));
    await migrateDown(db.connectionString, 1);
    expect(await schema(), `${name}.down.sql does not undo it`).toBe(states.at(-1));
    await migrateUp(db.connectionString, one);
    expect(await schema(), `${name} differs the second time`).toBe(after);
    states.push(after);
  }
  await migrateDown(db.connectionString, names.length);
  expect(await schema()).toBe(states[0]);
});

test('with functions and declarations, down and up again give an equal schema', async () => {
  await migrateUp(db.connectionString);
  const before = await schema();
  const { applied } = await migrationStatus(db.connectionString);
  await migrateDown(db.connectionString, applied.length);
  expect(await schema()).not.toBe(before);
  await migrateUp(db.connectionString);
  expect(await schema()).toBe(before);
});

test('a second up finds nothing to do', async () => {
  expect((await migrateUp(db.connectionString, options)).migrations).toEqual([
    '0001_first',
    '0002_second',
  ]);
  expect(await migrateUp(db.connectionString, options)).toEqual({
    migrations: [],
    replaceables: { applied: [], dropped: [] },
  });
});

test('everything belongs to app_owner', async () => {
  await migrateUp(db.connectionString, options);
  const { rows } = await db.pool.query(
    "select relowner::regrole::text as owner from pg_class where oid = 'app.a'::regclass",
  );
  expect(rows).toEqual([{ owner: 'app_owner' }]);
});

test('an edited applied file is refused before anything runs', async () => {
  await migrateUp(db.connectionString, options);
  await fixture.write({
    'migrations/0001_first.up.sql': 'create schema app; -- edited',
    'migrations/0003_third.up.sql': 'create table app.c (id int primary key);',
    'migrations/0003_third.down.sql': 'drop table app.c;',
    'functions/app/f.sql': 'create function app.f() returns int language sql return 1;',
  });
  const before = await schema();
  const error = await failure<MigrationError>(migrateUp(db.connectionString, options));
  expect(error).toBeInstanceOf(MigrationError);
  expect(error.problems).toMatchObject([{ file: '0001_first.up.sql', problem: 'edited' }]);
  expect(await verifyMigrations(db.connectionString, options)).toHaveLength(1);
  await expect(migrateDown(db.connectionString, 1, options)).rejects.toThrow(/edited/);
  expect(await schema()).toBe(before);
});

test('line ends are no edit', async () => {
  await migrateUp(db.connectionString, options);
  await fixture.write({
    'migrations/0001_first.up.sql':
      'create schema app;\r\ncreate table app.a (id int primary key);',
  });
  expect(await verifyMigrations(db.connectionString, options)).toEqual([]);
});

test('a missing applied file and one out of order are refused', async () => {
  await migrateUp(db.connectionString, options);
  await fixture.write({
    'migrations/0001_between.up.sql': 'select 1;',
    'migrations/0001_between.down.sql': 'select 1;',
  });
  await fixture.remove('migrations/0001_first.up.sql');
  const problems = await verifyMigrations(db.connectionString, options);
  expect(problems.map(({ problem }) => problem)).toEqual(['missing', 'out of order']);
  await expect(migrateUp(db.connectionString, options)).rejects.toBeInstanceOf(MigrationError);
});

test('a migration without a down file or with another name is refused', async () => {
  await fixture.write({ 'migrations/0003_third.up.sql': 'select 1;' });
  await expect(migrateUp(db.connectionString, options)).rejects.toThrow(/0003_third.down.sql/);
  await fixture.remove('migrations/0003_third.up.sql');
  await fixture.write({ 'migrations/third.sql': 'select 1;' });
  await expect(migrateUp(db.connectionString, options)).rejects.toThrow(/NNNN_name/);
});

test('ten runners at once: one applies each file, nine find it applied', async () => {
  const results = await Promise.all(
    Array.from({ length: 10 }, () => migrateUp(db.connectionString, options)),
  );
  expect(results.flatMap(({ migrations }) => migrations).sort()).toEqual([
    '0001_first',
    '0002_second',
  ]);
  expect(results.filter(({ migrations }) => migrations.length === 0)).toHaveLength(9);
  expect((await migrationStatus(db.connectionString, options)).pending).toEqual([]);
});

test('a broken file leaves nothing half done and says where it broke', async () => {
  await migrateUp(db.connectionString, options);
  const before = await schema();
  await fixture.write({
    'migrations/0003_third.up.sql': `-- a comment
create table app.c (id int primary key);
insert into app.c values (1);

-- another
create table app.d (
  id int primary key,
  other int references app.nowhere (id)
);
`,
    'migrations/0003_third.down.sql': 'drop table app.c;',
  });
  const error = await failure<SqlFileError>(migrateUp(db.connectionString, options));
  expect(error).toBeInstanceOf(SqlFileError);
  expect(error).toMatchObject({ sqlState: '42P01', line: 6, column: 1 });
  expect(error.file).toBe(fixture.path('migrations/0003_third.up.sql'));
  expect(await schema()).toBe(before);
  const status = await migrationStatus(db.connectionString, options);
  expect(status.pending).toEqual(['0003_third']);
});

test('a position that Postgres names is the position in the file', async () => {
  await fixture.write({
    'migrations/0003_third.up.sql': `select 'ü€😀';\n\ncreate table app.c (\n  "😀" int, x intt\n);`,
    'migrations/0003_third.down.sql': 'drop table app.c;',
  });
  const error = await failure<SqlFileError>(migrateUp(db.connectionString, options));
  expect(error).toMatchObject({ sqlState: '42704', line: 4, column: 15 });
  expect(error.format()).toContain('0003_third.up.sql:4:15: 42704: type "intt" does not exist');
});

test('an error inside an anonymous block names its line', async () => {
  await fixture.write({
    'migrations/0003_third.up.sql': `select 1;
do $$
begin
  perform 1;
  raise exception 'no' using errcode = 'AB001', detail = 'the detail', hint = 'the hint';
end
$$;`,
    'migrations/0003_third.down.sql': 'select 1;',
  });
  const error = await failure<SqlFileError>(migrateUp(db.connectionString, options));
  expect(error).toMatchObject({ sqlState: 'AB001', line: 5, column: 3 });
  expect(error.format()).toMatch(/detail: the detail\n {2}hint: the hint/);
});

test('a migration cannot end its own transaction', async () => {
  await fixture.write({
    'migrations/0003_third.up.sql': 'create table app.c (); commit; create table app.d ();',
    'migrations/0003_third.down.sql': 'drop table app.c;',
  });
  await expect(migrateUp(db.connectionString, options)).rejects.toThrow(/cannot say commit/);
  expect(await schema()).not.toContain('app.c');
});

test('a broken down file leaves everything as it was, functions included', async () => {
  await fixture.write({
    'migrations/0003_third.up.sql': 'create table app.c (id int primary key);',
    'migrations/0003_third.down.sql': 'drop table app.c;\ndrop table app.nowhere;',
    'functions/app/f.sql': 'create function app.f() returns app.c language sql return null::app.c;',
  });
  await migrateUp(db.connectionString, options);
  const before = await schema();
  const error = await failure<SqlFileError>(migrateDown(db.connectionString, 1, options));
  expect(error).toMatchObject({ sqlState: '42P01', line: 2 });
  expect(await schema()).toBe(before);
  expect((await migrationStatus(db.connectionString, options)).replaceables.changed).toEqual([]);
});

test('down refuses to undo more than there is', async () => {
  await expect(migrateDown(db.connectionString, 1, options)).rejects.toThrow(RangeError);
});

test('a lock that another session holds for a moment only delays a migration', async () => {
  await migrateUp(db.connectionString, options);
  await fixture.write({
    'migrations/0003_third.up.sql': 'alter table app.a add column name text;',
    'migrations/0003_third.down.sql': 'alter table app.a drop column name;',
  });
  const holder = await db.connect();
  await holder.query('begin; lock table app.a in access share mode');
  const migrated = migrateUp(db.connectionString, options);
  for (;;) {
    const { rows } = await db.pool.query(
      "select from pg_locks where relation = 'app.a'::regclass and not granted",
    );
    if (rows.length > 0) break;
  }
  await holder.query('commit');
  expect((await migrated).migrations).toEqual(['0003_third']);
});

test('the logins get the passwords derived from the owner, and no more rights than meant', async () => {
  await migrateUp(db.connectionString, options);
  const client = new pg.Client({ connectionString: db.apiConnectionString });
  await client.connect();
  try {
    await client.query('set role app_account');
    await client.query('reset role');
    await expect(client.query('set role app_owner')).rejects.toMatchObject({ code: '42501' });
    await expect(client.query('select from app.a')).rejects.toMatchObject({ code: '42501' });
    const { rows } = await client.query('show statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '3s' }]);
  } finally {
    await client.end();
  }
});

test('an owner who is no superuser can migrate, with createrole and a database of its own', async () => {
  const cluster = await startTestCluster();
  try {
    const admin = new pg.Client({ connectionString: cluster.connectionString });
    await admin.connect();
    await admin.query("create role plain login createrole createdb password 'plain'");
    await admin.query('create database plain owner plain');
    await admin.end();
    const url = new URL(cluster.connectionString);
    url.username = 'plain';
    url.password = 'plain';
    url.pathname = '/plain';
    expect((await migrateUp(url.href)).migrations).toContain('0001_millrace');
    expect(await migrateUp(url.href)).toEqual({
      migrations: [],
      replaceables: { applied: [], dropped: [] },
    });
  } finally {
    await cluster.stop();
  }
});
