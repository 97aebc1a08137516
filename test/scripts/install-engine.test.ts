import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runMigrations as installGraphileWorker } from 'graphile-worker';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { installEngine, uninstallEngine } from '../../scripts/lib/engine.ts';
import { readEngineTasks } from '../../scripts/lib/engine-tasks.ts';
import type { InstallError } from '../../scripts/lib/install-error.ts';
import {
  DIRECTORIES,
  type MigrationDirectories,
  MigrationError,
  migrateUp,
} from '../../scripts/lib/migrations.ts';
import { SqlFileError } from '../../scripts/lib/sql-error.ts';
import { runScript, type ScriptProcess } from '../host/process.ts';
import { until } from '../host/until.ts';
import { catalogDifference, describeCatalog } from '../lib/catalog.ts';
import { createEmptyDatabase, createTestDatabase } from '../lib/database.ts';
import { createFixture, type Fixture } from '../lib/fixture.ts';
import { createForeignDatabase, type ForeignDatabase } from '../lib/foreign-database.ts';
import {
  buildShop,
  SHOP_COUNTERS,
  SHOP_REACTION,
  SHOP_RELATIONS,
  shopSize,
  wrongRows,
  wrongValues,
} from '../lib/foreign-shop.ts';

const ENGINE_SCHEMAS = ['millrace', 'millrace_log', 'millrace_migration', 'graphile_worker'];

let db: ForeignDatabase;
const scripts: ScriptProcess[] = [];
const fixtures: Fixture[] = [];

beforeEach(async () => {
  db = await createForeignDatabase();
});

afterEach(async () => {
  for (const script of scripts.splice(0)) {
    script.child.kill('SIGKILL');
    await script.ended;
  }
  await db.drop();
  for (const fixture of fixtures.splice(0)) await fixture.drop();
});

function command(
  name: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | string; output: string }> {
  const script = start(name, args, env);
  return script.ended.then((code) => ({ code, output: script.output() }));
}

function start(name: string, args: string[], env: Record<string, string> = {}): ScriptProcess {
  const script = runScript(name, env, args);
  scripts.push(script);
  return script;
}

/** A shop of some hundred rows, and its application's role. */
async function shop(): Promise<{ client: pg.Client; app: string }> {
  const app = await db.createRole('app');
  const client = await db.connect();
  await buildShop(client, shopSize(600), app);
  return { client, app };
}

async function catalog(options?: { except: string[] }): Promise<string[]> {
  const client = await db.connect();
  const lines = await describeCatalog(client, options);
  await client.end();
  return lines;
}

async function failure(promise: Promise<unknown>): Promise<InstallError> {
  return await promise.then(
    () => expect.fail('it succeeded'),
    (error: InstallError) => error,
  );
}

/** The checkout's engine in files of a test's own, to be changed. */
async function copyOfEngine(): Promise<Fixture & { directories: Partial<MigrationDirectories> }> {
  const fixture = await createFixture();
  fixtures.push(fixture);
  await cp(DIRECTORIES.migrations, fixture.path('migrations'), { recursive: true });
  await cp(DIRECTORIES.functions, fixture.path('functions'), { recursive: true });
  return fixture;
}

describe('install', () => {
  test('makes its own schemas for a plain owner and touches nothing else', async () => {
    await shop();
    const { rolsuper, rolcreaterole } = (
      await db.run<{ rolsuper: boolean; rolcreaterole: boolean }>(
        'select rolsuper, rolcreaterole from pg_roles where rolname = current_user',
      )
    )[0]!;
    expect({ rolsuper, rolcreaterole }).toEqual({ rolsuper: false, rolcreaterole: false });
    const before = await catalog();
    const result = await installEngine(db.url());
    expect(result).toMatchObject({ owner: db.owner, queue: 'made', dropped: [], declared: [] });
    expect(result.migrations[0]).toBe('0001_millrace');
    expect(result.migrations.every((name) => /^\d{4}_millrace/.test(name))).toBe(true);
    expect(catalogDifference(before, await catalog({ except: ENGINE_SCHEMAS }))).toEqual([]);
    const owners = await db.run(
      `select nspname, nspowner::regrole::text as owner from pg_namespace
      where nspname = any('{${ENGINE_SCHEMAS.join(',')}}') order by nspname`,
    );
    expect(owners).toEqual(
      ENGINE_SCHEMAS.toSorted().map((nspname) => ({ nspname, owner: db.owner })),
    );
    expect(await db.run('select millrace.owner()::text as owner')).toEqual([{ owner: db.owner }]);
    // A tick has to work before anything is declared.
    expect(await db.run('select millrace.tick() as tick')).toMatchObject([{ tick: { rows: 0 } }]);
    expect(await db.run('select * from millrace.status')).toEqual([]);
  });

  test('a second time says that there is nothing to do, and does nothing', async () => {
    const first = await command('install-engine', ['--database-url', db.url()]);
    expect(first).toMatchObject({ code: 0 });
    expect(first.output).toMatch(/migrated {2}0001_millrace\n(.*\n)*The engine belongs to/);
    const before = await catalog();
    const second = await command('install-engine', ['--database-url', db.url()]);
    expect(second).toEqual({
      code: 0,
      output: `The engine is installed and up to date; it belongs to ${db.owner}.\n`,
    });
    expect(await catalog()).toEqual(before);
    const json = await command('install-engine', ['--json'], { DATABASE_URL: db.url() });
    expect(JSON.parse(json.output)).toEqual({
      dryRun: false,
      owner: db.owner,
      migrations: [],
      applied: [],
      dropped: [],
      declared: [],
      queue: 'present',
    });
  });

  test('a dry run says what would be done, and does nothing', async () => {
    const before = await catalog();
    const install = await command('install-engine', ['--dry-run', '--database-url', db.url()]);
    expect(install).toMatchObject({ code: 0 });
    expect(install.output).toMatch(/would be migrated {2}0001_millrace/);
    expect(install.output).toContain('would be made  schema graphile_worker');
    expect(await catalog()).toEqual(before);
    await installEngine(db.url());
    const installed = await catalog();
    const uninstall = await command('uninstall-engine', ['--dry-run', '--database-url', db.url()]);
    expect(uninstall.output).toContain('would be dropped  schema millrace_log');
    expect(await catalog()).toEqual(installed);
  });

  test('takes no lock on tables of the database', async () => {
    const { client } = await shop();
    await client.query('begin');
    await client.query(
      `lock table "Shop"."Customer", "Shop"."Order", "Shop"."order item", "Shop"."Product"
      in access exclusive mode`,
    );
    await installEngine(db.url());
    await uninstallEngine(db.url());
    await client.query('commit');
  });

  test('closes what it makes to roles that get rights on everything new', async () => {
    const { app } = await shop();
    await installEngine(db.url());
    await db.run(SHOP_COUNTERS[0]!.declaration);
    const reachable = await db.run<{ name: string }>(
      `select nspname as name from pg_namespace
      where nspname = any('{${ENGINE_SCHEMAS.join(',')}}')
        and has_schema_privilege('${app}', oid, 'usage, create')`,
    );
    expect(reachable).toEqual([]);
    expect(
      await db.run(
        `select oid::regprocedure::text from pg_proc
        where pronamespace = 'millrace'::regnamespace
          and exists (select from aclexplode(proacl) where grantee = 0)`,
      ),
    ).toEqual([]);
    // What the application may read it reads exactly, and its writes are counted.
    await db.run(
      `delete from "Shop"."Order" where "orderNo" = 1;
      select "Shop"."Customer_orderCount"(c) from "Shop"."Customer" c`,
      app,
    );
    expect(await wrongValues(await db.connect(), SHOP_COUNTERS[0]!, 'exact')).toEqual([]);
  });

  test('works whatever the database has set for its sessions', async () => {
    await shop();
    await db.administer(`
      alter database ${db.name} set search_path to "Shop", public;
      alter database ${db.name} set default_transaction_isolation to 'serializable';
      alter database ${db.name} set default_transaction_read_only to on;
      alter database ${db.name} set statement_timeout to '20ms';
      alter database ${db.name} set lock_timeout to '10ms';
      alter database ${db.name} set row_security to off;
      alter database ${db.name} set "DateStyle" to 'German';
      create table public.ddl (tag text);
      grant insert on public.ddl to public;
      create function public.note_ddl() returns event_trigger language plpgsql as $$
        begin
          insert into public.ddl select command_tag from pg_event_trigger_ddl_commands();
        end $$;
      create event trigger note_ddl on ddl_command_end execute function public.note_ddl()`);
    await installEngine(db.url());
    const host = start('worker', [], { DATABASE_URL: db.url() });
    await host.printed(/"working"/);
    const client = await db.connect();
    await client.query('set default_transaction_read_only to off');
    await client.query('set statement_timeout to 0; set lock_timeout to 0');
    // What is serializable may have to be done again: the host works at the same time.
    const insist = (statement: string): Promise<unknown> =>
      client
        .query(statement)
        .catch((error: { code?: string }) =>
          error.code === '40001' ? insist(statement) : Promise.reject(error),
        );
    await insist(SHOP_COUNTERS[0]!.declaration);
    await insist(SHOP_COUNTERS[3]!.declaration);
    await insist(`update "Shop"."Order" set "user" = 'Paid'`);
    await until(
      () => wrongValues(client, SHOP_COUNTERS[3]!, 'stored'),
      (wrong) => wrong.length === 0,
    );
    expect(await wrongValues(client, SHOP_COUNTERS[0]!, 'exact')).toEqual([]);
    host.child.kill('SIGTERM');
    expect(await host.ended).toBe(0);
    await uninstallEngine(db.url());
  });

  test.each([
    ['LATIN1', 'C'],
    ['SQL_ASCII', 'C'],
  ])('works in a database of encoding %s', async (encoding, locale) => {
    const other = await createForeignDatabase({ encoding, locale });
    try {
      await installEngine(other.url());
      await uninstallEngine(other.url());
    } finally {
      await other.drop();
    }
  });

  test('belongs to the role that installed first, whoever brings it up to date', async () => {
    const engine = await copyOfEngine();
    await installEngine(db.url(), engine);
    await engine.write({ 'functions/millrace/added.sql': ADDED });
    const member = await db.createRole('member', { member: [db.owner] });
    const result = await installEngine(db.url(member), engine);
    expect(result).toMatchObject({ owner: db.owner, applied: ['functions/millrace/added.sql'] });
    expect(
      await db.run(
        "select distinct proowner::regrole::text as owner from pg_proc where pronamespace = 'millrace'::regnamespace",
      ),
    ).toEqual([{ owner: db.owner }]);
  });

  test('what fails half-way goes on where it stopped, or can be taken out', async () => {
    const engine = await copyOfEngine();
    const before = await catalog();
    await engine.write({ 'functions/millrace/added.sql': 'create function millrace.added() ?' });
    expect(await failure(installEngine(db.url(), engine))).toBeInstanceOf(SqlFileError);
    expect(await catalog()).not.toEqual(before);
    expect(await uninstallEngine(db.url(), engine)).toMatchObject({ installed: true });
    expect(await catalog()).toEqual(before);

    await failure(installEngine(db.url(), engine));
    await engine.write({ 'functions/millrace/added.sql': ADDED });
    const { migrations, applied } = await installEngine(db.url(), engine);
    expect(migrations).toEqual([]);
    expect(applied).toContain('functions/millrace/added.sql');
    expect(await db.run('select millrace.added() as added')).toEqual([{ added: 1 }]);
  });
});

const ADDED = `create or replace function millrace.added() returns integer language sql
  immutable set search_path to '' return 1;`;

describe('a database that cannot have it', () => {
  test.each(['millrace', 'millrace_log', 'millrace_migration'])(
    'has a schema %s already: MR050',
    async (schema) => {
      await db.run(`create schema ${schema}; create table ${schema}.migration (id integer)`);
      const before = await catalog();
      for (const attempt of [installEngine, uninstallEngine]) {
        const error = await failure(attempt(db.url()));
        expect(error).toMatchObject({ code: 'MR050' });
        expect(error.message).toContain(schema);
      }
      const printed = await command('install-engine', ['--database-url', db.url()]);
      expect(printed.code).toBe(1);
      expect(printed.output).toMatch(/^MR050: .*\n {2}detail: .*\n {2}hint: .*\n$/);
      expect(await catalog()).toEqual(before);
    },
  );

  test('lets the login make no schema: MR051', async () => {
    const stranger = await db.createRole('stranger');
    expect(await failure(installEngine(db.url(stranger)))).toMatchObject({
      code: 'MR051',
      hint: expect.stringContaining(`grant create on database "${db.name}"`),
    });
    await db.run(`grant create on database ${db.name} to ${stranger}`);
    expect(await installEngine(db.url(stranger))).toMatchObject({ owner: stranger });
    await uninstallEngine(db.url(stranger));
    await db.run(`revoke create on database ${db.name} from ${stranger}`);
  });

  test('has the engine of somebody else: MR053', async () => {
    const stranger = await db.createRole('stranger');
    await installEngine(db.url());
    for (const attempt of [installEngine, uninstallEngine]) {
      expect(await failure(attempt(db.url(stranger)))).toMatchObject({ code: 'MR053' });
    }
  });

  test('is kept by npm run migrate: MR054, and the other way round', async () => {
    const project = await createTestDatabase();
    try {
      for (const attempt of [installEngine, uninstallEngine]) {
        const error = await failure(attempt(project.connectionString));
        expect(error).toMatchObject({ code: 'MR054' });
      }
    } finally {
      await project.drop();
    }
    const empty = await createEmptyDatabase();
    try {
      await installEngine(empty.connectionString);
      const error = await failure(migrateUp(empty.connectionString));
      expect(error).toMatchObject({ code: 'MR054' });
    } finally {
      await empty.drop();
    }
  });

  test('has another version of the files: refused before anything runs', async () => {
    const engine = await copyOfEngine();
    await installEngine(db.url(), engine);
    const path = engine.path('migrations/0001_millrace.up.sql');
    await writeFile(path, `${await readFile(path, 'utf8')}-- edited\n`);
    for (const attempt of [installEngine, uninstallEngine]) {
      const error = await failure(attempt(db.url(), engine));
      expect(error).toBeInstanceOf(MigrationError);
      expect(error.message).toContain('0001_millrace.up.sql was edited');
    }
  });

  test('has no engine: a host does not start', async () => {
    expect(await command('worker', [], { DATABASE_URL: db.url() })).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^MR057: /),
    });
  });
});

describe('the worker schema', () => {
  /** graphile-worker as an application of the database uses it, with a task and a schedule. */
  async function application(role = db.owner, task = 'send_mail'): Promise<void> {
    await installGraphileWorker({ connectionString: db.url(role) });
    await db.run(
      `select graphile_worker.add_job('${task}', '{}'::json);
      insert into graphile_worker._private_known_crontabs (identifier, known_since)
        values ('${task}', now())`,
      role,
    );
  }

  test('of an application is shared, and stays when the engine goes', async () => {
    await application();
    const before = await catalog();
    expect(await installEngine(db.url())).toMatchObject({ queue: 'shared' });
    expect(await installEngine(db.url())).toMatchObject({ queue: 'shared', applied: [] });
    // What a host leaves behind: the engine's tasks and schedules are known, a job waits.
    const host = start('worker', [], { DATABASE_URL: db.url() });
    await host.printed(/"working"/);
    host.child.kill('SIGTERM');
    await host.ended;
    await db.run(`select graphile_worker.add_job('reconcile', '{}'::json)`);
    expect(await db.run('select from graphile_worker._private_known_crontabs')).not.toHaveLength(1);
    expect(await uninstallEngine(db.url())).toMatchObject({
      schemas: ['millrace', 'millrace_log', 'millrace_migration'],
      left: ['schema graphile_worker: it was there before the engine'],
    });
    expect(await catalog()).toEqual(before);
    expect(await db.run('select task_identifier from graphile_worker.jobs')).toEqual([
      { task_identifier: 'send_mail' },
    ]);
    expect(await db.run('select identifier from graphile_worker._private_tasks')).toEqual([
      { identifier: 'send_mail' },
    ]);
    expect(await db.run('select identifier from graphile_worker._private_known_crontabs')).toEqual([
      { identifier: 'send_mail' },
    ]);
  });

  test('that came with the engine stays where others have begun to use it', async () => {
    await installEngine(db.url());
    await application();
    expect(await uninstallEngine(db.url())).toMatchObject({
      left: ['schema graphile_worker: others use it (task send_mail)'],
    });
    expect(await db.run('select task_identifier from graphile_worker.jobs')).toEqual([
      { task_identifier: 'send_mail' },
    ]);
  });

  test('goes although jobs of reactions wait in it', async () => {
    await shop();
    const before = await catalog();
    await installEngine(db.url());
    await db.run(`${SHOP_REACTION.declaration}`);
    await db.run(`select graphile_worker.add_job('customer_mail', '{}'::json)`);
    expect(await uninstallEngine(db.url())).toMatchObject({ left: [] });
    expect(await catalog()).toEqual(before);
  });

  test('is refused where it has tasks of the same names: MR055', async () => {
    await application(db.owner, 'reconcile');
    expect(await failure(installEngine(db.url()))).toMatchObject({
      code: 'MR055',
      detail: 'It has tasks called reconcile.',
    });
  });

  test('is refused where it is older: MR055', async () => {
    await application();
    await db.run('delete from graphile_worker.migrations where id > 18');
    expect(await failure(installEngine(db.url()))).toMatchObject({
      code: 'MR055',
      detail: "Its revision is 18; the engine's host works with 20.",
    });
  });

  test('is refused where it belongs to somebody else: MR055', async () => {
    const stranger = await db.createRole('stranger');
    await db.run(`grant create on database ${db.name} to ${stranger}`);
    await application(stranger);
    expect(await failure(installEngine(db.url()))).toMatchObject({ code: 'MR055' });
  });

  test('has the revision that the engine is written for', async () => {
    await installEngine(db.url());
    expect(await db.run('select max(id) as revision from graphile_worker.migrations')).toEqual([
      { revision: 20 },
    ]);
  });
});

describe('a host', () => {
  test('runs the tasks of the engine and no others', async () => {
    const { taskList, crontab } = await readEngineTasks(join(ROOT, 'tasks'));
    expect(Object.keys(taskList)).toEqual(
      expect.arrayContaining(['cleanup', 'recompute', 'reconcile', 'refresh']),
    );
    expect(taskList).not.toHaveProperty('expire_intro_requests');
    expect(crontab).toMatch(/^0 3 \* \* \* reconcile /);
    expect(crontab).not.toContain('expire_intro_requests');
  });

  test('keeps counters, relations and reactions of a database with the engine alone', async () => {
    const { client } = await shop();
    await installEngine(db.url());
    const host = start('worker', [], { DATABASE_URL: db.url() });
    await host.printed(/"working"/);
    for (const { declaration } of [...SHOP_COUNTERS, ...SHOP_RELATIONS, SHOP_REACTION]) {
      await client.query(declaration);
    }
    await client.query(`
      delete from "Shop"."Order" where "orderNo" % 11 = 0;
      update "Shop"."Order" set "user" = 'Paid', total = total + 1 where "orderNo" % 7 = 0`);
    for (const counter of SHOP_COUNTERS) {
      expect(await wrongValues(client, counter, 'exact')).toEqual([]);
      await until(
        () => wrongValues(client, counter, 'stored'),
        (wrong) => wrong.length === 0,
      );
    }
    for (const relation of SHOP_RELATIONS) {
      if (relation.live) expect(await wrongRows(client, relation, relation.live)).toEqual([]);
      await until(
        () => wrongRows(client, relation, relation.stored),
        (wrong) => wrong.length === 0,
      );
    }
    // The task of the reaction is the application's: its jobs wait for a worker that knows it.
    await until(
      () => db.run(`select from graphile_worker.jobs where task_identifier = 'customer_mail'`),
      (jobs) => jobs.length > 0,
    );
    const status = await command('status', ['--json'], { DATABASE_URL: db.url() });
    expect(JSON.parse(status.output)).toHaveLength(8);
    const reconcile = await command('reconcile', ['--json'], { DATABASE_URL: db.url() });
    expect(reconcile, reconcile.output).toMatchObject({ code: 0 });
    expect(await failure(uninstallEngine(db.url()))).toMatchObject({ code: 'MR058' });
    host.child.kill('SIGTERM');
    expect(await host.ended, host.output()).toBe(0);
  }, 60_000);

  test('that only ticks keeps the counters', async () => {
    const { client } = await shop();
    await installEngine(db.url());
    await client.query(SHOP_COUNTERS[0]!.declaration);
    const host = start('worker', ['--ticker-only'], { DATABASE_URL: db.url() });
    await host.printed(/"ticking"/);
    await client.query('delete from "Shop"."Order" where "orderNo" % 3 = 0');
    await until(
      () => wrongValues(client, SHOP_COUNTERS[0]!, 'stored'),
      (wrong) => wrong.length === 0,
    );
    host.child.kill('SIGTERM');
    expect(await host.ended, host.output()).toBe(0);
  });
});

describe('a new version of the engine', () => {
  test('brings its migrations and functions, drops what is no more, and declares again', async () => {
    const { client } = await shop();
    const engine = await copyOfEngine();
    await engine.write({ 'functions/millrace/added.sql': ADDED });
    await installEngine(db.url(), engine);
    for (const { declaration } of [...SHOP_COUNTERS, ...SHOP_RELATIONS, SHOP_REACTION]) {
      await client.query(declaration);
    }
    await client.query('delete from "Shop"."Order" where "orderNo" % 5 = 0');
    const exact = engine.path('functions/millrace/exact_sql.sql');
    const text = await readFile(exact, 'utf8');
    await engine.remove('functions/millrace/added.sql');
    await engine.write({
      'functions/millrace/exact_sql.sql': text.replace('set jit to off', 'set jit to off'),
      'migrations/9998_app.up.sql': 'create table public.app (id integer)',
      'migrations/9998_app.down.sql': 'drop table public.app',
      'migrations/9999_millrace_next.up.sql': 'create table millrace.next (id integer)',
      'migrations/9999_millrace_next.down.sql': 'drop table millrace.next',
    });
    await writeFile(
      exact,
      text.replace("'  set jit to off\\n'", "'  set jit to off\\n  set work_mem to ''5MB''\\n'"),
    );
    const before = await db.run('select id, name, state from millrace.derivation order by id');
    const result = await installEngine(db.url(), engine);
    expect(result).toMatchObject({
      migrations: ['9999_millrace_next'],
      applied: ['functions/millrace/exact_sql.sql'],
      dropped: ['function millrace.added()'],
    });
    expect(result.declared.toSorted()).toEqual(before.map(({ name }) => name).toSorted());
    // Nothing was counted anew, and what is generated is the new engine's.
    expect(await db.run('select id, name, state from millrace.derivation order by id')).toEqual(
      before,
    );
    expect(
      await db.run(
        `select proconfig::text ~ 'work_mem=5MB' as new from pg_proc
        where oid = '"Shop"."Customer_orderCount"("Shop"."Customer")'::regprocedure`,
      ),
    ).toEqual([{ new: true }]);
    for (const counter of SHOP_COUNTERS) {
      expect(await wrongValues(client, counter, 'exact')).toEqual([]);
    }
    expect(await installEngine(db.url(), engine)).toMatchObject({ migrations: [], applied: [] });
  });

  test('takes nothing for its own that others make at the same time', async () => {
    const engine = await copyOfEngine();
    await installEngine(db.url(), engine);
    await engine.write({
      'functions/millrace/added.sql': `create table public.made_meanwhile (id integer);\n${ADDED}`,
    });
    await installEngine(db.url(), engine);
    expect(
      await db.run(
        `select objects from millrace_migration.replaceable
        where path = 'functions/millrace/added.sql'`,
      ),
    ).toEqual([{ objects: ['function millrace.added()'] }]);
  });
});

describe('uninstall', () => {
  test('leaves no trace but the values of the target columns', async () => {
    const { client } = await shop();
    await client.query('vacuum analyze');
    const before = await catalog();
    await installEngine(db.url());
    for (const { declaration } of [...SHOP_COUNTERS, ...SHOP_RELATIONS, SHOP_REACTION]) {
      await client.query(declaration);
    }
    await client.query('delete from "Shop"."Order" where "orderNo" % 2 = 0');
    await client.query('select millrace.drain()');
    const { rows: values } = await client.query(
      'select "tenantId", "no", "orderCount", spent from "Shop"."Customer" order by 1, 2',
    );
    expect(await catalog()).not.toEqual(before);
    const printed = await command('uninstall-engine', ['--database-url', db.url()]);
    expect(printed, printed.output).toMatchObject({ code: 0 });
    expect(printed.output).toContain('dropped  Shop.Customer overview\n');
    expect(printed.output).toContain('dropped  schema graphile_worker\n');
    expect(printed.output).toContain('stays  column Shop.Customer.spent, with its last values\n');
    expect(catalogDifference(before, await catalog())).toEqual([]);
    expect(
      (
        await client.query(
          'select "tenantId", "no", "orderCount", spent from "Shop"."Customer" order by 1, 2',
        )
      ).rows,
    ).toEqual(values);
    expect(values.some(({ orderCount }) => orderCount > 0)).toBe(true);
    const again = await command('install-engine', ['--uninstall', '--database-url', db.url()]);
    expect(again).toEqual({ code: 0, output: 'There is no engine in this database.\n' });
  });

  test('keeps the relations that the engine made, if asked to', async () => {
    const { client } = await shop();
    const before = await catalog();
    await installEngine(db.url());
    for (const { declaration } of SHOP_RELATIONS) await client.query(declaration);
    await client.query('create view "Shop".mine as select * from "Shop"."Customer overview"');
    const { left } = await uninstallEngine(db.url(), { keepRelations: true });
    expect(left).toEqual([
      'relation Shop.Day overview, as it is',
      'relation Shop.Customer overview, as it is',
    ]);
    for (const relation of SHOP_RELATIONS) {
      expect(await wrongRows(client, relation, relation.stored)).toEqual([]);
    }
    await client.query('drop view "Shop".mine');
    await client.query('drop table "Shop"."Customer overview"');
    await client.query('drop materialized view "Shop"."Day overview"');
    expect(catalogDifference(before, await catalog())).toEqual([]);
  });

  test.each([
    [
      'an exact function',
      'create view "Shop".mine as select "Shop"."Customer_orderCount"(c) from "Shop"."Customer" c',
      /view "Shop"\.mine uses function "Shop"\."Customer_orderCount"/,
    ],
    [
      'a derived relation',
      'create view "Shop".mine as select * from "Shop"."Customer overview"',
      /view "Shop"\.mine uses table "Shop"\."Customer overview"/,
    ],
    [
      'the live view',
      'create view "Shop".mine as select * from "Shop"."Customer overview_live"',
      /view "Shop"\.mine uses view "Shop"\."Customer overview_live"/,
    ],
    [
      'a view of the engine',
      'create view "Shop".mine as select name, lag from millrace.status',
      /view "Shop"\.mine uses view millrace\.status/,
    ],
  ])('is refused where others use %s: MR056', async (_what, statement, detail) => {
    const { client } = await shop();
    await installEngine(db.url());
    await client.query(SHOP_COUNTERS[0]!.declaration);
    await client.query(SHOP_RELATIONS[0]!.declaration);
    await client.query(statement);
    const before = await catalog();
    const error = await failure(uninstallEngine(db.url()));
    expect(error).toMatchObject({ code: 'MR056' });
    expect(error.detail).toMatch(detail);
    expect(await catalog()).toEqual(before);
    await client.query('drop view "Shop".mine');
    await uninstallEngine(db.url());
  });
});
