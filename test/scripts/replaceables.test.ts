import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MigrationOptions, migrateDown, migrateUp } from '../../scripts/lib/migrations.ts';
import type { ApplyResult } from '../../scripts/lib/replaceables.ts';
import { SqlFileError, SqlFilesError } from '../../scripts/lib/sql-error.ts';
import { createEmptyDatabase, type TestDatabase } from '../lib/database.ts';
import { createFixture, type Fixture } from '../lib/fixture.ts';

/** The engine's brackets, standing in: a module's declarations are rows, its objects views. */
const ENGINE = `create schema millrace;
create table millrace.declared (module text, name text, stale boolean, primary key (name));
create function millrace.declare_start(module text) returns void language sql
  begin atomic
    update millrace.declared set stale = true where declared.module = declare_start.module;
  end;
create function millrace.declare_view(module text, name text, query text) returns void
  language plpgsql as $$
  begin
    execute format('create or replace view app.%I as %s', name, query);
    insert into millrace.declared values (module, name, false)
    on conflict on constraint declared_pkey do update set stale = false;
  end $$;
create function millrace.declare_finish(module text) returns void language plpgsql as $$
  declare v_name text;
  begin
    for v_name in
      delete from millrace.declared
      where declared.module = declare_finish.module and stale returning declared.name
    loop
      execute format('drop view app.%I', v_name);
    end loop;
  end $$;
create schema app;
create table app.item (id int primary key, size int);`;

let db: TestDatabase;
let fixture: Fixture;
let options: MigrationOptions;

beforeEach(async () => {
  db = await createEmptyDatabase();
  fixture = await createFixture({
    'migrations/0001_base.up.sql': ENGINE,
    'migrations/0001_base.down.sql': 'drop schema app cascade; drop schema millrace cascade;',
  });
  options = { directories: fixture.directories, queue: false };
});

afterEach(async () => {
  await db.drop();
  await fixture.drop();
});

async function up(files: Record<string, string> = {}): Promise<ApplyResult> {
  await fixture.write(files);
  return (await migrateUp(db.connectionString, options)).replaceables as ApplyResult;
}

async function value(expression: string): Promise<unknown> {
  return (await db.pool.query(`select ${expression} as value`)).rows[0].value;
}

async function functions(): Promise<string[]> {
  const { rows } = await db.pool.query(`select oid::regprocedure::text as name
    from pg_proc where pronamespace = 'app'::regnamespace order by 1`);
  return rows.map(({ name }) => name);
}

const one = (body: string, signature = 'app.one()', result = 'int') =>
  `create or replace function ${signature} returns ${result} language sql return ${body};`;

test('files are applied in the order of their dependencies, whatever their names', async () => {
  const { applied } = await up({
    'functions/app/a.sql': one('app.b() + 1', 'app.a()'),
    'functions/app/b.sql': one('(select max(n) from app.c)', 'app.b()'),
    'functions/app/c.sql': 'create or replace view app.c as select app.d() as n;',
    'functions/app/d.sql': one('40', 'app.d()'),
  });
  expect(applied).toEqual(['d', 'c', 'b', 'a'].map((name) => `functions/app/${name}.sql`));
  expect(await value('app.a()')).toBe(41);
});

test('only a changed file is applied again', async () => {
  await up({
    'functions/app/one.sql': one('1'),
    'functions/app/two.sql': one('2', 'app.two()'),
  });
  expect(await up({ 'functions/app/one.sql': one('11') })).toEqual({
    applied: ['functions/app/one.sql'],
    dropped: [],
  });
  expect(await value('app.one()')).toBe(11);
});

test('an object that somebody dropped is made again', async () => {
  await up({ 'functions/app/one.sql': one('1') });
  await db.pool.query('drop function app.one()');
  expect((await up()).applied).toEqual(['functions/app/one.sql']);
  expect(await value('app.one()')).toBe(1);
});

test('the objects of a removed file are dropped, with triggers and in any order', async () => {
  await up({
    'functions/app/tg_item__check.sql': `create or replace function app.tg_item__check()
      returns trigger language plpgsql as $$ begin return new; end $$;
      create or replace trigger _300_check before insert on app.item
        for each row execute function app.tg_item__check();`,
    'functions/app/base.sql': one('1', 'app.base()'),
    'functions/app/caller.sql': one('app.base()', 'app.caller()'),
    'functions/app/keep.sql': one('3', 'app.keep()'),
  });
  for (const name of ['tg_item__check', 'base', 'caller']) {
    await fixture.remove(`functions/app/${name}.sql`);
  }
  const { dropped } = await up();
  expect([...dropped].sort()).toEqual([
    'function app.base()',
    'function app.caller()',
    'function app.tg_item__check()',
    'trigger _300_check on app.item',
  ]);
  expect(await functions()).toEqual(['app.keep()']);
});

test("a grant on a neighbour does not make it the file's own", async () => {
  await up({ 'functions/app/one.sql': one('1') });
  await up({
    'functions/app/two.sql': `${one('2', 'app.two()')}
      grant execute on function app.one() to app_anonymous;`,
  });
  await fixture.remove('functions/app/two.sql');
  expect((await up()).dropped).toEqual(['function app.two()']);
  expect(await functions()).toEqual(['app.one()']);
});

test('a moved object changes its file and is not dropped', async () => {
  await up({ 'functions/app/old.sql': one('1') });
  await fixture.remove('functions/app/old.sql');
  expect(await up({ 'functions/app/one.sql': one('2') })).toEqual({
    applied: ['functions/app/one.sql'],
    dropped: [],
  });
  expect(await value('app.one()')).toBe(2);
});

test('changed arguments replace the function instead of making a second one', async () => {
  await up({ 'functions/app/one.sql': one('x', 'app.one(x int)') });
  const { dropped } = await up({ 'functions/app/one.sql': one('x + y', 'app.one(x int, y int)') });
  expect(dropped).toEqual(['function app.one(integer)']);
  expect(await functions()).toEqual(['app.one(integer,integer)']);
});

test('a changed return type makes its dependents again', async () => {
  await up({
    'functions/app/one.sql': one('1'),
    'functions/app/report.sql': 'create or replace view app.report as select app.one() as n;',
    'functions/app/total.sql': one('(select sum(n) from app.report)', 'app.total()', 'bigint'),
    'functions/app/aside.sql': one('0', 'app.aside()'),
  });
  const { applied, dropped } = await up({ 'functions/app/one.sql': one('7', undefined, 'bigint') });
  expect([...applied].sort()).toEqual(
    ['one', 'report', 'total'].map((name) => `functions/app/${name}.sql`),
  );
  expect([...dropped].sort()).toEqual([
    'function app.one()',
    'function app.total()',
    'view app.report',
  ]);
  expect(await value('pg_typeof((select n from app.report))::text')).toBe('bigint');
  expect(await value('app.total()::int')).toBe(7);
});

test('a view that loses a column is made again, with the function that returns its rows', async () => {
  await up({
    'functions/app/v.sql': 'create or replace view app.v as select 1 as a, 2 as b;',
    'functions/app/rows.sql':
      'create or replace function app.rows() returns setof app.v language sql ' +
      'begin atomic select * from app.v; end;',
  });
  await up({ 'functions/app/v.sql': 'create or replace view app.v as select 3 as a;' });
  expect((await db.pool.query('select * from app.rows()')).rows).toEqual([{ a: 3 }]);
});

test('a dependent that no file makes stops the change, by name', async () => {
  await up({ 'functions/app/one.sql': one('1') });
  await db.pool.query('alter table app.item alter column size set default app.one()');
  const error = await up({ 'functions/app/one.sql': one('1', undefined, 'bigint') }).then(
    () => expect.fail('it succeeded'),
    (reason: SqlFileError) => reason,
  );
  expect(error).toBeInstanceOf(SqlFileError);
  expect(error.sqlState).toBe('2BP01');
  expect(error.message).toMatch(
    /function app\.one\(\) cannot be dropped: default value.*app\.item/,
  );
  expect(error.hint).toMatch(/migration/);
  expect(await value('pg_typeof(app.one())::text')).toBe('integer');
});

test('one fault anywhere leaves everything as it was', async () => {
  await up({ 'functions/app/one.sql': one('1'), 'functions/app/two.sql': one('2', 'app.two()') });
  await fixture.remove('functions/app/two.sql');
  await expect(
    up({
      'functions/app/one.sql': one('100'),
      'functions/app/z.sql': one('1 +', 'app.z()'),
    }),
  ).rejects.toMatchObject({ sqlState: '42601', line: 1 });
  expect(await value('app.one()')).toBe(1);
  expect(await functions()).toEqual(['app.one()', 'app.two()']);
});

test('what stays undefined is reported for every file that lacks it', async () => {
  const error = await up({
    'functions/app/a.sql': one('app.nowhere()', 'app.a()'),
    'functions/app/b.sql': `${one('1', 'app.b()')}\n\n${one('app.a()', 'app.bb()')}`,
  }).then(
    () => expect.fail('it succeeded'),
    (reason: SqlFilesError) => reason,
  );
  expect(error).toBeInstanceOf(SqlFilesError);
  expect(error.errors.map(({ file, line }) => [file, line])).toEqual([
    [fixture.path('functions/app/a.sql'), 1],
    [fixture.path('functions/app/b.sql'), 3],
  ]);
  expect(error.errors.map(({ sqlState }) => sqlState)).toEqual(['42883', '42883']);
});

test('an error inside a plpgsql body is placed in the file', async () => {
  const error = await up({
    'functions/app/f.sql': `/* why */
create or replace function app.f()
  returns int
  language plpgsql
as $$
begin
  retrun 1;
end
$$;
`,
  }).then(
    () => expect.fail('it succeeded'),
    (reason: SqlFileError) => reason,
  );
  expect(error).toMatchObject({ sqlState: '42601', line: 7, column: 3 });
});

const declaration = (name: string, query: string) =>
  `select millrace.declare_view('shop', '${name}', $$${query}$$);`;

test('a derived file is declared between its brackets; what it declares no more is dropped', async () => {
  await up({ 'derived/shop.sql': declaration('x', 'select 1 as n') });
  await up({ 'derived/shop.sql': declaration('y', 'select 2 as n') });
  expect((await db.pool.query('select n from app.y')).rows).toEqual([{ n: 2 }]);
  expect(await value("to_regclass('app.x')")).toBeNull();
  await fixture.remove('derived/shop.sql');
  await up();
  expect(await value("to_regclass('app.y')")).toBeNull();
  expect(await value('(select count(*)::int from millrace.declared)')).toBe(0);
});

test('a changed signature below a declaration declares it again', async () => {
  await up({
    'functions/app/one.sql': one('1'),
    'derived/shop.sql': declaration('x', 'select app.one() as n'),
  });
  const { applied } = await up({ 'functions/app/one.sql': one('5', undefined, 'bigint') });
  expect(applied).toEqual(['functions/app/one.sql', 'derived/shop.sql']);
  expect(await value('pg_typeof((select n from app.x))::text')).toBe('bigint');
});

test('a new engine function declares everything again', async () => {
  await up({ 'derived/shop.sql': declaration('x', 'select 1 as n') });
  const { applied } = await up({ 'functions/millrace/f.sql': one('1', 'millrace.f()') });
  expect(applied).toEqual(['functions/millrace/f.sql', 'derived/shop.sql']);
});

/** A function that gives the rows of what `declaration` makes. */
const reader = (columns = '*') => `create or replace function app.read() returns setof app.x
  language sql stable begin atomic select ${columns} from app.x; end;`;

test('a function may read what is declared: it comes after it, and goes before it', async () => {
  const { applied } = await up({
    'functions/app/read.sql': reader(),
    'functions/app/one.sql': one('7'),
    'derived/shop.sql': declaration('x', 'select app.one() as n'),
  });
  expect(applied).toEqual(['functions/app/one.sql', 'derived/shop.sql', 'functions/app/read.sql']);
  expect(await value('(select n from app.read())')).toBe(7);

  await migrateDown(db.connectionString, 1, options);
  expect(await value("to_regnamespace('app')")).toBeNull();
  await up();
  expect(await value('(select n from app.read())')).toBe(7);
});

test('a function that reads what is declared stands in nobody’s way', async () => {
  await up({
    'functions/app/read.sql': reader(),
    'derived/shop.sql': declaration('x', 'select 1 as n'),
  });
  // The view of that name can only be dropped without its reader.
  const other = await up({
    'functions/app/read.sql': reader().replaceAll('app.x', 'app.y'),
    'derived/shop.sql': declaration('y', 'select 2 as n'),
  });
  expect(other.applied.sort()).toEqual(['derived/shop.sql', 'functions/app/read.sql']);
  expect(await value('(select n from app.read())')).toBe(2);
  expect(await value("to_regclass('app.x')")).toBeNull();

  await fixture.remove('derived/shop.sql');
  await expect(up()).rejects.toMatchObject({ sqlState: '42704' });
  await fixture.remove('functions/app/read.sql');
  await up();
  expect(await value("to_regclass('app.y')")).toBeNull();
  expect(await functions()).toEqual([]);
});
