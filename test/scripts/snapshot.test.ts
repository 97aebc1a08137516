import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { raisedIn } from '../../scripts/lib/reference.ts';
import { describeSchema, withoutQualifiers } from '../../scripts/lib/snapshot.ts';
import {
  compareSnapshot,
  generateSnapshot,
  SNAPSHOT_FOLDER,
  writeSnapshot,
} from '../../scripts/lib/snapshot-files.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { createFixture } from '../lib/fixture.ts';

let db: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

test('the committed schema is this one, on every version of Postgres', async () => {
  const committed = withoutQualifiers(await readFile(join(SNAPSHOT_FOLDER, 'schema.sql'), 'utf8'));
  const generated = withoutQualifiers(await describeSchema(client)).split('\n');
  const at = committed.split('\n').findIndex((line, index) => line !== generated[index]);
  const hint = `line ${at + 1} is not current (${generated[at]}): run npm run snapshot`;
  expect(committed === generated.join('\n'), hint).toBe(true);
});

test('two databases of one schema have one text', async () => {
  const other = await createTestDatabase();
  try {
    expect(await describeSchema(await other.connect())).toBe(await describeSchema(client));
  } finally {
    await other.drop();
  }
});

/** Each changes the schema in one respect; the text must tell. */
const CHANGES = [
  'alter table app_public.opinion add column planted int',
  'alter table app_public.opinion alter column content drop not null',
  "alter table app_public.opinion alter column content set default ''",
  'alter table app_public.opinion drop constraint opinion_content_check',
  'alter table app_public.opinion add constraint planted_check check (id > 0)',
  'drop index app_public.opinion_author_id_idx',
  'create index planted_idx on app_public.opinion (content)',
  "create type app_private.planted as enum ('a', 'b')",
  "alter type app_public.vote_choice add value 'planted'",
  'create domain app_private.planted as int check (value > 0)',
  'create sequence app_private.planted',
  'create view app_private.planted as select 1 as id',
  'create materialized view app_private.planted as select 1 as id',
  'create schema planted',
  "create function app_private.planted() returns int language sql as 'select 1'",
  'alter function app_public.cast_vote stable',
  'alter function app_public.cast_vote security definer',
  "comment on table app_public.opinion is 'planted'",
  "comment on column app_public.opinion.content is 'planted'",
  "comment on function app_public.cast_vote is 'planted'",
  'grant delete on app_public.opinion to app_anonymous',
  'grant update (content) on app_public.opinion to app_account',
  'revoke select on app_public.opinion from app_anonymous',
  'grant execute on function app_public.cast_vote to public',
  'alter table app_public.opinion disable row level security',
  'alter table app_public.opinion force row level security',
  'create policy planted on app_public.opinion for delete to app_account using (false)',
  'alter table app_public.opinion set (fillfactor = 50)',
  'alter table app_public.opinion disable trigger all',
  'alter default privileges in schema app_public grant select on tables to app_anonymous',
  'create statistics app_private.planted on id, author_id from app_public.opinion',
  `create trigger planted before insert on app_public.opinion
    for each statement execute function suppress_redundant_updates_trigger()`,
];

test.for(CHANGES)('tells: %s', async (sql) => {
  await client.query('begin');
  try {
    const before = await describeSchema(client);
    // A trigger of a constraint is the superuser's to disable.
    if (sql.includes('disable trigger all')) await client.query('set local role none');
    await client.query(sql);
    expect(await describeSchema(client)).not.toBe(before);
  } finally {
    await client.query('rollback');
  }
});

test('--check finds a planted difference and a missing file, and where', async () => {
  const fixture = await createFixture();
  try {
    const files = await generateSnapshot(db.connectionString);
    expect([...files.keys()]).toEqual(['schema.sql', 'reference.md', 'schema.graphql']);
    expect(await writeSnapshot(files, fixture.path('snapshot'))).toEqual([...files.keys()]);
    expect(await compareSnapshot(files, fixture.path('snapshot'))).toEqual([]);
    expect(await writeSnapshot(files, fixture.path('snapshot'))).toEqual([]);
    const lines = (files.get('schema.sql') as string).split('\n');
    const at = lines.indexOf('create table app_public.opinion (') + 1;
    expect(at).toBeGreaterThan(1);
    lines[at] = '  planted bigint,';
    await fixture.write({ 'snapshot/schema.sql': lines.join('\n') });
    await fixture.remove('snapshot/reference.md');
    expect(await compareSnapshot(files, fixture.path('snapshot'))).toMatchObject([
      { file: 'schema.sql', line: at + 1, committed: '  planted bigint,' },
      { file: 'reference.md', line: null },
    ]);
  } finally {
    await fixture.drop();
  }
});

test('the reference knows tables, functions, counters and error codes', async () => {
  const reference = (await generateSnapshot(db.connectionString)).get('reference.md') as string;
  expect(reference).toMatch(/^### Table opinion$/m);
  expect(reference).toMatch(/^- `cast_vote\(.*\) → .*` \(volatile\): \S/m);
  expect(reference).toMatch(/^\| app_public\.opinion\.agree_count \| rows of app_public/m);
  expect(reference).toMatch(/^\| DL003 \| This opinion is moderated/m);
  expect(reference).not.toMatch(/^@/m);
});

test('error codes are found in raise statements, quotes and semicolons included', () => {
  const source = `begin
    raise exception 'It''s over; really' using errcode = 'AB001', hint = 'a; b';
    raise notice 'errcode = ''AB009''';
    raise exception 'Second %', v_x using detail = 'x', errcode = 'AB002';
  end`;
  expect(raisedIn(source)).toEqual([
    { code: 'AB001', message: "It's over; really" },
    { code: 'AB002', message: 'Second %' },
  ]);
});
