import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { lintMigrations, lintText, runLints } from '../../scripts/lib/lints.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/** For each lint: a statement that plants its fault, and the object that it must name. */
const PLANTED: Record<string, { sql: string; object: string; as?: 'superuser' }> = {
  column_without_comment: {
    sql: 'create table app_operator.planted (id int primary key)',
    object: 'app_operator.planted.id',
  },
  concatenated_sql: {
    sql: `create function app_private.planted() returns void language plpgsql
      as $$ begin execute 'drop table ' || current_setting('app.table'); end $$`,
    object: 'app_private.planted()',
  },
  definer_search_path: {
    sql: `create function app_private.planted() returns int language sql security definer
      as 'select 1'`,
    object: 'app_private.planted()',
  },
  duplicate_index: {
    sql: `create table app_private.planted (id int primary key, at timestamptz);
      create index planted_one on app_private.planted (at desc) where id > 0;
      create index planted_two on app_private.planted (at desc) where id > 0`,
    object: 'app_private.planted_two',
  },
  foreign_owner: {
    sql: 'create table app_private.planted (id int primary key)',
    object: 'app_private.planted',
    as: 'superuser',
  },
  foreign_table_in_api: {
    sql: `create foreign data wrapper planted; create server planted foreign data wrapper planted;
      create foreign table app_public.planted (id int) server planted`,
    object: 'app_public.planted',
    as: 'superuser',
  },
  function_without_comment: {
    sql: 'create function app_public.planted() returns int language sql return 1',
    object: 'app_public.planted()',
  },
  materialized_view_in_api: {
    sql: 'create materialized view app_public.planted as select 1 as id',
    object: 'app_public.planted',
  },
  multiple_permissive_policies: {
    sql: `create table app_public.planted (id int primary key);
      create policy planted_one on app_public.planted for select to app_account using (id = 1);
      create policy planted_two on app_public.planted to app_account using (id = 2)`,
    object: 'app_public.planted',
  },
  mutable_search_path: {
    sql: `create function app_private.planted() returns int language plpgsql
      as 'begin return 1; end'`,
    object: 'app_private.planted()',
  },
  overloaded_function: {
    sql: `create function app_private.planted() returns int language sql return 1;
      create function app_private.planted(int) returns int language sql return 1`,
    object: 'app_private.planted',
  },
  policy_always_true: {
    sql: `create table app_public.planted (id int primary key);
      create policy planted_update on app_public.planted for update to app_account using (true)`,
    object: 'planted_update on app_public.planted',
  },
  policy_call_per_row: {
    sql: `create table app_public.planted (id int primary key);
      create policy planted_select on app_public.planted
        using (id = app_hidden.current_account_id())`,
    object: 'planted_select on app_public.planted',
  },
  policy_without_rls: {
    sql: `create table app_private.planted (id int primary key);
      create policy planted_select on app_private.planted for select using (id = 1)`,
    object: 'planted_select on app_private.planted',
  },
  private_table_granted: {
    sql: `create table app_private.planted (id int primary key);
      grant select on app_private.planted to app_account`,
    object: 'app_private.planted',
  },
  public_execute: {
    sql: `create function app_private.planted() returns int language sql return 1;
      grant execute on function app_private.planted() to public`,
    object: 'app_private.planted()',
  },
  rls_without_policy: {
    sql: `create table app_operator.planted (id int primary key);
      alter table app_operator.planted enable row level security`,
    object: 'app_operator.planted',
  },
  secret_readable: {
    sql: 'grant select on app_operator.webhook to app_operator',
    object: 'app_operator.webhook.secret',
  },
  setting_outlives_transaction: {
    sql: `create function app_private.planted() returns text language sql
      as $$ select set_config('app.account_id', '1', false) $$`,
    object: 'app_private.planted()',
  },
  table_without_comment: {
    sql: 'create table app_public.planted (id int primary key)',
    object: 'app_public.planted',
  },
  table_without_primary_key: {
    sql: 'create table app_private.planted (id int)',
    object: 'app_private.planted',
  },
  table_without_rls: {
    sql: 'create table app_public.planted (id int primary key)',
    object: 'app_public.planted',
  },
  timestamp_without_time_zone: {
    sql: 'create table app_private.planted (id int primary key, at timestamp)',
    object: 'app_private.planted.at',
  },
  unindexed_foreign_key: {
    sql: `create table app_private.planted (
        id int primary key, parent int constraint planted_fkey references app_private.planted (id))`,
    object: 'app_private.planted.planted_fkey',
  },
  view_bypasses_rls: {
    sql: 'create view app_public.planted as select 1 as id',
    object: 'app_public.planted',
  },
  when_others: {
    sql: `create function app_private.planted() returns void language plpgsql
      as $$ begin perform 1; exception when others then perform 2; end $$`,
    object: 'app_private.planted()',
  },
};

let db: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

test('the schema has no faults', async () => {
  expect(await runLints(client)).toEqual([]);
});

test('every lint has a planted fault', async () => {
  const lints = (await readdir(join(ROOT, 'db/lints'))).filter((name) => name.endsWith('.sql'));
  expect(lints.map((name) => name.replace('.sql', '')).sort()).toEqual(Object.keys(PLANTED).sort());
});

describe('finds its planted fault:', () => {
  test.for(Object.entries(PLANTED))('%s', async ([lint, { sql, object, as }]) => {
    await client.query('begin');
    try {
      if (as === 'superuser') await client.query('set local role none');
      await client.query(sql);
      await client.query('set local role app_owner');
      const faults = (await runLints(client)).filter((fault) => fault.lint === lint);
      expect(faults.map((fault) => fault.object)).toContain(object);
    } finally {
      await client.query('rollback');
    }
  });
});

test('a call in a sub-select, and an index with another order of columns, are no faults', async () => {
  await client.query('begin');
  try {
    await client.query(`create table app_private.sound (a int, b int, primary key (b, a));
      create table app_private.child (id int primary key, a int, b int,
        constraint child_fkey foreign key (b, a) references app_private.sound (b, a));
      create index child_idx on app_private.child (a, b, id);
      alter table app_private.sound enable row level security;
      create policy sound_select on app_private.sound
        using (a = (select app_hidden.current_account_id()))`);
    expect(await runLints(client)).toEqual([]);
  } finally {
    await client.query('rollback');
  }
});

describe('rules about the text of SQL files', () => {
  const file = 'functions/app_public/f.sql';
  const sound = 'create or replace function app_public.f()\n  returns int\nreturn 1;\n';

  test('a sound file has no faults', () => {
    expect(lintText(file, sound)).toEqual([]);
  });

  test.for([
    ['line_length', `${sound}-- ${'x'.repeat(98)}\n`, `${file}:4`],
    ['blank', `${sound}select 1; \n`, `${file}:4`],
    ['blank', `${sound}\tselect 1;\n`, `${file}:4`],
    ['unfinished', `${sound}-- ${'TO'}DO: more\n`, `${file}:4`],
    ['when_others', `${sound}exception when others then\n`, `${file}:4`],
    ['file_name', sound.replace('app_public.f', 'app_public.g'), file],
  ])('%s', ([lint, text, object]) => {
    expect(lintText(file, text as string)).toMatchObject([{ lint, object }]);
  });
});

describe('squawk', () => {
  test('has nothing to say about the migrations', async () => {
    expect(await lintMigrations()).toEqual([]);
  });

  test.for([
    [
      'require-concurrent-index-creation',
      'create index opinion_planted_idx on app_public.opinion (content);',
    ],
    [
      'adding-field-with-default',
      'alter table app_public.opinion add a uuid default gen_random_uuid();',
    ],
    ['changing-column-type', 'alter table app_public.opinion alter content type varchar(10);'],
    ['ban-drop-column', 'alter table app_public.opinion drop column content;'],
    [
      'adding-foreign-key-constraint',
      `alter table app_public.opinion add constraint planted_fkey
        foreign key (author_id) references app_public.account (id);`,
    ],
  ] as const)('finds a planted %s', async ([rule, sql]) => {
    const root = await mkdtemp(join(tmpdir(), 'millrace-squawk-'));
    try {
      await mkdir(join(root, 'db/migrations'), { recursive: true });
      await writeFile(join(root, 'db/migrations/9999_planted.up.sql'), `${sql}\n`);
      const faults = await lintMigrations(undefined, root);
      expect(faults.map(({ lint }) => lint)).toContain(rule);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
