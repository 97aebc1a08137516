import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { lintText, runLints } from '../../scripts/lib/lints.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/** For each lint: a statement that plants its fault, and the object that it must name. */
const PLANTED: Record<string, { sql: string; object: string; as?: 'superuser' }> = {
  definer_search_path: {
    sql: `create function app_private.planted() returns int language sql security definer
      as 'select 1'`,
    object: 'app_private.planted()',
  },
  foreign_owner: {
    sql: 'create table app_private.planted (id int primary key)',
    object: 'app_private.planted',
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
  overloaded_function: {
    sql: `create function app_private.planted() returns int language sql return 1;
      create function app_private.planted(int) returns int language sql return 1`,
    object: 'app_private.planted',
  },
  policy_call_per_row: {
    sql: `create table app_public.planted (id int primary key);
      create policy planted_select on app_public.planted
        using (id = app_hidden.current_account_id())`,
    object: 'planted_select on app_public.planted',
  },
  public_execute: {
    sql: `create function app_private.planted() returns int language sql return 1;
      grant execute on function app_private.planted() to public`,
    object: 'app_private.planted()',
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
