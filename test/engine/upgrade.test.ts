import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrateUp } from '../../scripts/lib/migrations.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/*
 * A database whose logs an older engine made, with rows that wait in them, gets a new engine by
 * `npm run migrate` while somebody writes. The logs are brought into their old shape by the old text
 * of two functions; what is made from them follows.
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

const OLD_FUNCTIONS = `
  create or replace function millrace.open_log_sql(
    relation regclass, since text default 'undrained'
  ) returns text language sql stable strict set search_path to ''
  return (
    select format('(select l.ctid as log_id, %s from %s l)',
      string_agg(quote_ident(a.attname), ', '), millrace.qualified_name(s.log))
    from millrace.source s
    join pg_attribute a on a.attrelid = s.log and a.attnum > 0 and not a.attisdropped
    where s.relation = open_log_sql.relation and a.attname <> 'recorded_in'
    group by s.log
  );
  create or replace function millrace.log_indexes(source regclass)
    returns setof name[] language sql stable set search_path to ''
  begin atomic
    select distinct array_remove(i.columns, 'recorded_in') from (
      select c.columns from millrace.derivation d
      cross join lateral millrace.log_index_columns(d, log_indexes.source) c(columns)
      where d.kind = 'counter'
      union all
      select r.key_columns from millrace.reading r
      where r.relation = log_indexes.source and r.key_columns is not null
    ) i;
  end;`;

/** The logs and what reads them as an engine made them that knew no recorded_in. */
async function makeOld(): Promise<void> {
  await client.query(`
    begin;
    select millrace.lock_engine();
    ${OLD_FUNCTIONS}
    select millrace.refresh_pending(d) from millrace.derivation d where d.kind = 'counter';
    select millrace.make_views(d) from millrace.derivation d
      where d.kind = 'materialize' and d.strategy = 'incremental';
    select millrace.forget_plans();
    do $$ declare v_log regclass; begin
      for v_log in select s.log from millrace.source s loop
        execute format('alter table %s drop column recorded_in', v_log);
      end loop;
    end $$;
    do $$ declare v_index record; begin
      for v_index in
        select s.log, i.columns from millrace.source s, millrace.log_indexes(s.relation) i(columns)
      loop
        execute format('create index on %s (%s)', v_index.log, millrace.list(v_index.columns));
      end loop;
    end $$;
    commit;`);
}

/** Until somebody waits for the transaction of the other client. */
async function untilWaiting(other: pg.ClientBase): Promise<void> {
  const { rows: own } = await other.query<{ pid: number }>('select pg_backend_pid() as pid');
  for (;;) {
    const { rows } = await client.query<{ waiting: boolean }>(
      `select exists (
         select from pg_locks l where not l.granted and $1 = any (pg_blocking_pids(l.pid))
       ) as waiting`,
      [own[0]!.pid],
    );
    if (rows[0]!.waiting) return;
  }
}

const VOTE = `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
  select o.id, $1, o.conversation_id, 'agree' from app_public.opinion o`;

async function expectExact(): Promise<void> {
  const { rows } = await client.query(
    `select o.id, app_public.opinion_agree_count(o)::integer as agrees, v.agrees as truth,
       app_public.conversation_vote_count(c)::integer as votes,
       app_public.conversation_participant_count(c)::integer as voters, t.votes as all_votes,
       t.voters as all_voters
     from app_public.opinion o join app_public.conversation c on c.id = o.conversation_id
     cross join lateral (
       select count(*)::integer as agrees from app_public.opinion_vote v
       where v.opinion_id = o.id and v.choice = 'agree' and v.cancelled_at is null
     ) v
     cross join lateral (
       select count(*)::integer as votes, count(distinct v.voter_id)::integer as voters
       from app_public.opinion_vote v where v.conversation_id = c.id and v.cancelled_at is null
     ) t`,
  );
  expect(rows).toHaveLength(20);
  for (const row of rows) {
    expect([row.agrees, row.votes, row.voters]).toEqual([row.truth, row.all_votes, row.all_voters]);
  }
}

test('logs of an older engine keep their rows', { timeout: 180_000 }, async () => {
  await client.query(`
    insert into app_public.account (display_name) select 'a' || i from generate_series(1, 50) i;
    insert into app_public.conversation (owner_id, topic)
      select 1, 't' || i from generate_series(1, 2) i;
    insert into app_public.opinion (conversation_id, author_id, content)
      select i % 2 + 1, i, 'c' from generate_series(1, 20) i;
    select millrace.drain()`);
  await makeOld();
  await client.query(VOTE, [30]);
  await expectExact();
  await client.query('select millrace.drain()');
  // What waits: rows that are committed, and those of a writer that is still at it.
  await client.query(VOTE, [31]);
  const writer = await db.connect();
  await writer.query('begin');
  await writer.query(VOTE, [32]);
  const { rows: old } = await client.query<{ indexes: string[] }>(
    `select array_agg(pg_get_indexdef(i.indexrelid)) as indexes
     from pg_index i join millrace.source s on s.log = i.indrelid`,
  );
  expect(old[0]!.indexes.join()).not.toContain('recorded_in');
  await client.query(
    `update app_migration.replaceable set checksum = 'of an older version'
     where path = any (array['functions/millrace/open_log_sql.sql',
       'functions/millrace/log_indexes.sql'])`,
  );
  const migrated = migrateUp(db.connectionString);
  await untilWaiting(writer);
  await writer.query(VOTE, [33]);
  await writer.query('commit');
  await migrated;
  await client.query('deallocate all');
  await expectExact();
  await client.query(VOTE, [34]);
  await client.query("update app_public.opinion set moderation = 'moved' where id = 3");
  await client.query('update app_public.opinion set moderation = null where id = 3');
  await expectExact();
  const { rows } = await client.query<{ waiting: number; without: number }>(
    `select count(*) filter (where l.recorded_in = '0')::integer as waiting,
       (select count(*)::integer from millrace.source s where not exists (
          select from pg_attribute a where a.attrelid = s.log and a.attname = 'recorded_in'
        ) or not exists (
          select from pg_index i where i.indrelid = s.log
            and pg_get_indexdef(i.indexrelid) ~ 'recorded_in'
        ) and exists (select from millrace.log_indexes(s.relation))) as without
     from millrace_log.app_public__opinion_vote l`,
  );
  // Voters 31, 32 and 33 for 20 opinions: written before the column was there.
  expect(rows).toEqual([{ waiting: 60, without: 0 }]);
  await client.query('select millrace.drain()');
  await expectExact();
  const { rows: stored } = await client.query(
    'select distinct agree_count::integer as agrees from app_public.opinion',
  );
  expect(stored).toEqual([{ agrees: 5 }]);
  await client.query(VOTE, [35]);
  await expectExact();
  const { rows: drift } = await client.query(
    'select r.name, r.drift from millrace.reconcile() r where r.keys_drifted > 0',
  );
  expect(drift).toEqual([]);
  await writer.end();
});
