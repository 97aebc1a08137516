import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCrontab } from 'graphile-worker';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import { checkExact, checkStored, drainAll, type Expectation } from './lib/history.ts';
import { createRandom } from './lib/random.ts';

/*
 * Partitions by time: made ahead whatever is there already, removed without a derived value that
 * is wrong, a default partition emptied without a row lost; and all that with somebody in the way.
 */

let db: TestDatabase;
let client: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
  other = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

beforeEach(async () => {
  await other.query('rollback');
  await client.query(`
    rollback;
    reset all;
    set role app_owner;
    set client_min_messages to warning;
    select millrace.drop(d.name) from millrace.derivation d where d.name like 'd.%';
    select millrace.partition_forget(k.name) from millrace.partition_kept k;
    drop schema if exists d cascade;
    select millrace.partition_forget_vanished();
    create schema d;
    create table d.actor (id bigint primary key, events bigint not null default 0,
      kinds bigint not null default 0, size bigint not null default 0);
    create table d.event (id bigint generated always as identity,
      actor_id bigint, kind text not null default 'a', size integer not null default 1,
      at timestamptz not null, primary key (id, at)) partition by range (at);
    create index on d.event (actor_id);
    insert into d.actor (id) values (1), (2), (3);
  `);
});

interface Bounds {
  partition: string;
  from: Date;
  to: Date;
}

/** Declares d.event, or another table, with these further arguments. */
async function declare(args = '', table = 'd.event'): Promise<void> {
  await client.query(`select millrace.partition_by_time('${table}', 'at'${args && `, ${args}`})`);
}

/** The partitions of a table but the default one, in order of time. */
async function bounds(table = 'd.event'): Promise<Bounds[]> {
  const { rows } = await client.query(
    `select partition::text, from_time as "from", to_time as "to"
     from millrace.partition_bounds($1::regclass) where not is_default order by from_time`,
    [table],
  );
  return rows;
}

/** What Postgres itself says the bounds are, in the order of the names. */
async function printedBounds(table = 'd.event'): Promise<string[]> {
  const { rows } = await client.query(
    `select pg_get_expr(c.relpartbound, c.oid) as bound
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = $1::regclass order by 1`,
    [table],
  );
  return rows.map(({ bound }) => bound);
}

async function plan(table = 'd.event'): Promise<{ action: string; partition: string }[]> {
  const { rows } = await client.query('select action, partition from millrace.partition_plan($1)', [
    table,
  ]);
  return rows;
}

async function run(payload: object = {}, by: pg.ClientBase = client): Promise<unknown[]> {
  const { rows } = await by.query('call millrace.partition_run($1)', [JSON.stringify(payload)]);
  return rows[0].payload;
}

async function status(table = 'd.event') {
  const { rows } = await client.query(
    `select s.*, s.ahead::integer as ahead, s.default_rows::integer as default_rows
     from millrace.partition_status s where table_name = $1`,
    [table],
  );
  return rows[0];
}

async function count(sql: string): Promise<number> {
  const { rows } = await client.query(`select count(*)::integer as n from ${sql}`);
  return rows[0].n;
}

/** The moment `periods` periods from the beginning of the current one, by the clock's database. */
async function moment(unit: 'year' | 'month' | 'week' | 'day', periods: number): Promise<Date> {
  const { rows } = await client.query(
    `select (date_trunc($1, now() at time zone 'UTC') + $2 * ('1 ' || $1)::interval)
       at time zone 'UTC' as at`,
    [unit, periods],
  );
  return rows[0].at;
}

/** A partition of d.event for the months from `from` to `to`, counted from the current one. */
async function addMonths(name: string, from: number, to: number): Promise<void> {
  const literal = async (months: number) => (await moment('month', months)).toISOString();
  await client.query(
    `create table d.${name} partition of d.event
     for values from ('${await literal(from)}') to ('${await literal(to)}')`,
  );
}

function expectContiguous(list: Bounds[]): void {
  for (const [i, { from }] of list.entries()) {
    if (i > 0) expect(from).toEqual(list[i - 1]?.to);
  }
}

describe('partitions are made ahead', () => {
  test.each([
    ['1 month', 'month'],
    ['3 months', null],
    ['1 year', 'year'],
    ['1 week', 'week'],
    ['1 day', 'day'],
    ['2 weeks', null],
  ] as const)('%s: the current one and three more', async (period, unit) => {
    await declare(`period => '${period}'`);
    const list = await bounds();
    expect(list).toHaveLength(4);
    expectContiguous(list);
    const { rows } = await client.query('select now()');
    expect(list[0]!.from.getTime()).toBeLessThanOrEqual(rows[0].now.getTime());
    expect(list[0]!.to.getTime()).toBeGreaterThan(rows[0].now.getTime());
    if (unit) {
      expect(list[0]!.from).toEqual(await moment(unit, 0));
      expect(list[3]!.to).toEqual(await moment(unit, 4));
    } else if (period === '3 months') {
      expect(list.map(({ from }) => from.getUTCMonth() % 3)).toEqual([0, 0, 0, 0]);
    } else {
      expect(list.map(({ from }) => from.getUTCDay())).toEqual([1, 1, 1, 1]);
    }
    expect(await status()).toMatchObject({ ahead: 3, alarm: null, failures: 0 });
    expect(await plan()).toEqual([]);
  });

  test.each(['timestamptz', 'timestamp', 'date', 'timestamptz(3)'])(
    'for a column of type %s the bounds are in UTC, whatever the session says',
    async (type) => {
      const printed: string[][] = [];
      for (const zone of ['UTC', 'America/St_Johns', 'Pacific/Kiritimati']) {
        await client.query(`
          drop table if exists d.zoned;
          create table d.zoned (at ${type} not null) partition by range (at);
          set timezone to '${zone}';
          set datestyle to 'German';
        `);
        await declare("period => '1 day', premake => 2", 'd.zoned');
        await client.query(`reset timezone; set datestyle to 'ISO'; set timezone to 'UTC'`);
        printed.push(await printedBounds('d.zoned'));
        expect((await bounds('d.zoned'))[0]!.from).toEqual(await moment('day', 0));
        await client.query(`insert into d.zoned (at) select (now() at time zone 'UTC')::${type}
          where '${type}' in ('timestamp', 'date') union all
          select now()::${type} where '${type}' not in ('timestamp', 'date')`);
      }
      expect(printed[1]).toEqual(printed[0]);
      expect(printed[2]).toEqual(printed[0]);
    },
  );

  test('a period begins at the same moment in every zone, also where clocks change', async () => {
    const read = async (zone: string) => {
      await client.query(`set timezone to '${zone}'`);
      const { rows } = await client.query(`
        select p.period, array_agg(distinct millrace.partition_floor(a.at, p.period, o.origin)) as floors,
          bool_and(millrace.partition_floor(a.at, p.period, o.origin) <= a.at
            and a.at < millrace.partition_floor(a.at, p.period, o.origin) + p.period::interval) as inside
        from (values ('1 day'::interval), ('1 week'), ('1 month'), ('1 year')) p(period)
        cross join (values ('2001-01-01 00:00Z'::timestamptz), ('2001-01-07 00:00Z'),
          ('2001-01-15 06:30Z')) o(origin)
        cross join generate_series('2026-03-27 00:00Z'::timestamptz, '2026-04-02 00:00Z',
          '30 minutes') a(at)
        group by p.period, o.origin order by p.period, o.origin`);
      return rows;
    };
    const utc = await read('UTC');
    expect(utc.every(({ inside }) => inside)).toBe(true);
    // Seven days with a floor each: an hour is neither doubled nor missing on March 29.
    expect(utc[0].floors).toHaveLength(7);
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe']) {
      const there = await read(zone);
      expect(there.map(({ floors }) => floors.map(String).sort())).toEqual(
        utc.map(({ floors }) => floors.map(String).sort()),
      );
    }
    await client.query('reset timezone');
  });

  test('again, nothing changes; with other arguments, what is declared does', async () => {
    await declare('premake => 2');
    const before = await status();
    await declare('premake => 2');
    expect(await status()).toEqual(before);
    await declare(`premake => 5, retain => '1 year', retention => 'drop', keep_derived => true`);
    expect(await status()).toMatchObject({
      premake: 5,
      retention: 'drop',
      keep_derived: true,
      ahead: 5,
    });
    expect((await status()).declared_at).not.toEqual(before.declared_at);
    // What is there stays when less is asked for, and when the period is another.
    await declare(`period => '1 week', premake => 1`);
    expect(await bounds()).toHaveLength(6);
    expect(await status()).toMatchObject({ alarm: null });
  });

  test('a declaration that is gone from its file ends the upkeep, not the partitions', async () => {
    await client.query(`begin; select millrace.declare_start('d')`);
    await declare();
    await client.query(`select millrace.declare_finish('d'); commit`);
    expect(await status()).toMatchObject({ module: 'd' });
    await client.query(`begin; select millrace.declare_start('d')`);
    const { rows } = await client.query(`select millrace.declare_finish('d') as ended`);
    await client.query('commit');
    expect(rows).toEqual([{ ended: 'd.event' }]);
    expect(await status()).toBeUndefined();
    expect(await bounds()).toHaveLength(4);
    await expectSqlState(client.query(`select millrace.drop_partitioning('d.event')`), 'MR046');
  });

  test('a partition is like its table, and nobody but the owner may touch it', async () => {
    await client.query(`
      drop table d.event;
      create table d.kind (name text primary key);
      create table d.event (
        id bigint generated always as identity,
        at timestamptz not null default now(),
        kind text collate "C" references d.kind,
        size integer check (size > 0),
        doubled integer generated always as (size * 2) stored,
        primary key (id, at)
      ) partition by range (at);
      comment on column d.event.kind is 'What it is.';
      create index event_kind_idx on d.event (kind) where size > 1;
      create statistics d.event_statistics on kind, size from d.event;
      alter table d.event alter size set statistics 500;
      alter table d.event enable row level security;
      alter table d.event replica identity full;
      create table d.heard (id bigint);
      create function d.tg_event__hear() returns trigger language plpgsql security definer as
        $$begin insert into d.heard values (new.id); return null; end$$;
      create trigger hear after insert on d.event for each row execute function d.tg_event__hear();
      grant select, insert on d.event to app_account;
      grant usage on schema d to app_account;
      create policy all_of_it on d.event to app_account using (true) with check (true);
      insert into d.kind values ('a');
      alter default privileges for role app_owner in schema d
        grant select, insert, update on tables to app_account, public;
    `);
    await addMonths('settings', -1, 0);
    await client.query('alter table d.settings set (fillfactor = 70, autovacuum_enabled = off)');
    await declare();
    const partition = (await bounds())[1]!.partition;
    const { rows } = await client.query(
      `select c.relrowsecurity, c.relreplident, c.reloptions, c.relowner::regrole::text as owner,
         (select array_agg(distinct a.grantee) from aclexplode(c.relacl) a) = array[c.relowner] as only_owner,
         (select count(*)::integer from pg_constraint k where k.conrelid = c.oid and k.contype = 'c') as checks,
         (select count(*)::integer from pg_constraint k where k.conrelid = c.oid and k.contype = 'f') as foreign_keys,
         (select count(*)::integer from pg_index i where i.indrelid = c.oid) as indexes,
         (select count(*)::integer from pg_statistic_ext e where e.stxrelid = c.oid) as statistics,
         (select array_agg(t.tgname::text) from pg_trigger t where t.tgrelid = c.oid and t.tgconstraint = 0) as triggers,
         col_description(c.oid, 3) as comment, obj_description(c.oid, 'pg_class') as description
       from pg_class c where c.oid = $1::regclass`,
      [partition],
    );
    expect(rows[0]).toMatchObject({
      relrowsecurity: true,
      relreplident: 'f',
      reloptions: ['fillfactor=70', 'autovacuum_enabled=off'],
      owner: 'app_owner',
      only_owner: true,
      checks: 1,
      foreign_keys: 1,
      indexes: 2,
      statistics: 1,
      triggers: ['hear'],
      comment: 'What it is.',
    });
    expect(rows[0].description).toMatch(/^Rows of d\.event from \d{4}-\d\d-01 .* to \d{4}-\d\d-01/);
    await db.asAccount(
      1,
      async (account) => {
        await account.query("insert into d.event (kind, size) values ('a', 3)");
        const read = await account.query('select doubled from d.event');
        expect(read.rows).toEqual([{ doubled: 6 }]);
      },
      { commit: true },
    );
    expect(await count('d.heard')).toBe(1);
    for (const statement of [
      `select from ${partition}`,
      `insert into ${partition} (kind) values ('a')`,
      `update ${partition} set size = 1`,
      `delete from ${partition}`,
      `truncate ${partition}`,
    ])
      await expect(
        db.asAccount(1, (account) => account.query(statement)),
        statement,
      ).rejects.toMatchObject({ code: '42501' });
    await expectSqlState(client.query("insert into d.event (kind, size) values ('b', 3)"), '23503');
  });

  test('a replica identity by index is its own index there', async () => {
    await client.query('alter table d.event replica identity using index event_pkey');
    await declare();
    const { rows } = await client.query(
      `select count(*)::integer as n from pg_index i join pg_inherits h on h.inhrelid = i.indrelid
       where h.inhparent = 'd.event'::regclass and i.indisreplident`,
    );
    expect(rows).toEqual([{ n: 4 }]);
  });

  test('names that are taken or too long are no hindrance', async () => {
    const table = `d.${'long_'.repeat(12)}name`;
    await client.query(`create table ${table} (at date not null) partition by range (at)`);
    await declare('', table);
    expect(await bounds(table)).toHaveLength(4);
    const [name] = (await moment('month', 0))
      .toISOString()
      .slice(0, 7)
      .replace('-', '_')
      .split('T');
    await client.query(`create type d.event_${name} as enum ('taken')`);
    await declare();
    expect((await bounds())[0]!.partition).toBe(`d.event_${name}_2`);
  });

  test('by the upkeep, after a pause of any length, also in between', async () => {
    await declare(`period => '1 day'`);
    // As if the last run had been 40 days ago: what it had made ahead ended then.
    await client.query(`
      do $$
      declare v_partition text;
      begin
        for v_partition in select partition::text from millrace.partition_bounds('d.event') loop
          execute 'drop table ' || v_partition;
        end loop;
      end $$`);
    const literal = async (days: number) => (await moment('day', days)).toISOString();
    await client.query(`create table d.last partition of d.event
      for values from ('${await literal(-40)}') to ('${await literal(-36)}')`);
    expect(await status()).toMatchObject({
      ahead: 0,
      alarm: expect.stringContaining('for rows of now'),
    });
    await run();
    const list = await bounds();
    expectContiguous(list);
    expect(list[0]!.from).toEqual(await moment('day', -40));
    expect(list.at(-1)!.to).toEqual(await moment('day', 4));
    expect(await status()).toMatchObject({ ahead: 3, alarm: null });
    // No longer back than what is kept.
    // A gap is filled that is not older than what is ahead, nor than what is kept.
    const of = async (day: number) => {
      const from = (await moment('day', day)).getTime();
      return list.find((it) => it.from.getTime() === from)!.partition;
    };
    const gone = [await of(-1), await of(-2), await of(-10)] as const;
    await client.query(`drop table ${gone.join()}`);
    await declare(`period => '1 day', retain => '1 day'`);
    // From -40 (the first is four days long) to -3, but for -10.
    expect((await plan()).map(({ action }) => action)).toEqual(Array(34).fill('detach'));
    const after = (await bounds()).map(({ partition }) => partition);
    expect(gone.map((partition) => after.includes(partition))).toEqual([true, false, false]);
  });

  test('the alarm comes before the first insert fails, with upkeep off for months', async () => {
    await declare();
    const { rows } = await client.query(`
      select s.ahead::integer as ahead, s.alarm, s.next_at <= d.day as due,
        exists (select from millrace.partition_bounds('d.event') b
          where b.from_time <= d.day and d.day < b.to_time) as fits
      from generate_series(now(), now() + interval '200 days', '1 day') d(day)
      cross join lateral millrace.partition_state('d.event', d.day) s order by d.day`);
    const firstAlarm = rows.findIndex(({ alarm }) => alarm !== null);
    const firstFailure = rows.findIndex(({ fits }) => !fits);
    expect(rows[0]).toEqual({ ahead: 3, alarm: null, due: false, fits: true });
    // Something is to be done from the next month on; a month later it is an alarm, and only
    // after the fourth month an insert would fail.
    expect(rows.findIndex(({ due }) => due)).toBeLessThan(32);
    expect(firstAlarm).toBeGreaterThan(27);
    expect(firstFailure - firstAlarm).toBeGreaterThan(27);
    expect(rows[firstAlarm].alarm).toBe('only 1 partition is ahead');
    expect(rows[firstFailure].alarm).toMatch(/no partition for rows of now; no partition is ahead/);
  });
});

describe('on a table that has partitions', () => {
  test('whatever their bounds are, nothing overlaps and no moment is left out', async () => {
    const random = createRandom(20_261_122);
    for (let round = 0; round < 8; round += 1) {
      await client.query(`
        drop table if exists d.odd;
        create table d.odd (at timestamptz not null) partition by range (at)`);
      const start = await moment('month', 0);
      let hours = -24 * random.below(90);
      for (let i = 0; i < 6; i += 1) {
        hours += random.oneIn(3) ? 0 : random.below(24 * 40);
        const end = hours + 1 + random.below(24 * 45);
        const at = (h: number) => new Date(start.getTime() + h * 3_600_000).toISOString();
        await client.query(`create table d.had_${i} partition of d.odd
          for values from ('${random.oneIn(9) && i === 0 ? '-infinity' : at(hours)}') to ('${at(end)}')`);
        hours = end;
      }
      const before = await bounds('d.odd');
      const period = random.pick(['1 month', '1 week', '1 day', '3 months', '10 days']);
      await declare(`period => '${period}', premake => 4`, 'd.odd');
      const after = await bounds('d.odd');
      const { rows } = await client.query(
        `select count(*)::integer as n
         from millrace.partitioning p
         cross join lateral millrace.partition_floor(now(), p.period, p.origin) f(current)
         cross join lateral generate_series(
           greatest($1, f.current - 4 * p.period), f.current + 5 * p.period - interval '1 hour',
           '1 hour') a(at)
         where p.relation = 'd.odd'::regclass and not exists (
           select from millrace.partition_bounds('d.odd') b
           where b.from_time <= a.at and a.at < b.to_time)`,
        [before[0]!.from],
      );
      expect(rows).toEqual([{ n: 0 }]);
      for (const old of before) expect(after).toContainEqual(old);
      expect(await status('d.odd')).toMatchObject({ alarm: null });
      expect((await status('d.odd')).ahead).toBeGreaterThanOrEqual(4);
      expect(await plan('d.odd')).toEqual([]);
    }
  });

  test('their rhythm goes on: weeks that begin on Sunday', async () => {
    const sunday = new Date((await moment('week', 0)).getTime() - 86_400_000);
    const next = new Date(sunday.getTime() + 7 * 86_400_000);
    await client.query(`create table d.week partition of d.event
      for values from ('${sunday.toISOString()}') to ('${next.toISOString()}')`);
    await declare(`period => '1 week'`);
    const list = await bounds();
    expect(list.map(({ from }) => from.getUTCDay())).toEqual(list.map(() => 0));
    expectContiguous(list);
  });

  test('a short rest before the next period is no partition of its own', async () => {
    const start = await moment('month', 0);
    const local = new Date((await moment('month', 1)).getTime() - 3_600_000);
    await client.query(`create table d.local partition of d.event
      for values from ('${new Date(start.getTime() - 3_600_000).toISOString()}')
      to ('${local.toISOString()}')`);
    await declare();
    const list = await bounds();
    expect(list.map(({ from, to }) => [from, to])).toEqual([
      [new Date(start.getTime() - 3_600_000), local],
      [local, await moment('month', 2)],
      [await moment('month', 2), await moment('month', 3)],
      [await moment('month', 3), await moment('month', 4)],
    ]);
  });

  test('up to the end of time, nothing is to be made', async () => {
    await client.query(`create table d.rest partition of d.event
      for values from (minvalue) to (maxvalue)`);
    await declare();
    expect(await bounds()).toHaveLength(1);
    expect(await status()).toMatchObject({ alarm: null });
  });

  test('that are partitioned themselves, or are a part of another', async () => {
    await client.query(`
      create table d.place (region text not null, at timestamptz not null) partition by list (region);
      create table d.place_eu partition of d.place for values in ('eu') partition by range (at);
    `);
    await declare(`retain => '1 year'`, 'd.place_eu');
    const old = (await moment('year', -3)).toISOString();
    await client.query(`
      create table d.place_old partition of d.place_eu
        for values from ('${old}') to ('${(await moment('year', -2)).toISOString()}')
        partition by range (at);
      create table d.place_old_all partition of d.place_old for values from (minvalue) to (maxvalue);
      alter table d.actor add region text;
      update d.actor set region = 'eu' where id = 1;
      create table d.region (name text primary key, n bigint not null default 0);
      insert into d.region values ('eu');
      select millrace.counter('d.region.n', 'd.place', '{region}');
      insert into d.place values ('eu', now()), ('eu', '${old}'), ('eu', '${old}');
    `);
    const read = async () =>
      (await client.query('select d.region_n(r) as n from d.region r')).rows[0].n;
    expect(await read()).toBe('3');
    await run();
    expect(await read()).toBe('1');
    await drainAll(client);
    expect(await reconciled()).toEqual([]);
    expect(await count('d.place_old')).toBe(2);
  });
});

async function reconciled(): Promise<unknown[]> {
  const { rows } = await client.query(
    "select name, examples from millrace.reconcile() where name like 'd.%' and keys_drifted > 0",
  );
  return rows;
}

describe('a declaration that cannot be', () => {
  const WRONG: [string, string, string, RegExp, RegExp][] = [
    ['no table', `'d.nowhere', 'at'`, 'MR001', /./, /Create the table/],
    ['a view', `'d.shown', 'at'`, 'MR001', /./, /Name the table itself/],
    ['no column', `'d.event', 'nothing'`, 'MR002', /partitioned by the time/, /Correct the name/],
    [
      'not partitioned',
      `'d.plain', 'at'`,
      'MR040',
      /when it is created/,
      /partition by range \(at\)/,
    ],
    ['by list', `'d.listed', 'at'`, 'MR041', /LIST/, /range \(at\)/],
    ['by two columns', `'d.two', 'at'`, 'MR041', /RANGE \(at, id\)/, /range \(at\)/],
    ['by an expression', `'d.expressed', 'at'`, 'MR041', /date_part|extract/i, /range/],
    ['by another column', `'d.event', 'id'`, 'MR042', /RANGE \(at\)/, /column_name => 'at'/],
    ['no time', `'d.numbered', 'id'`, 'MR043', /bigint/, /timestamptz/],
    ['hours', `'d.event', 'at', '12 hours'`, 'MR044', /hours/, /whole days/],
    ['month and day', `'d.event', 'at', '1 month 1 day'`, 'MR044', /months and days/, /1 week/],
    ['five months', `'d.event', 'at', '5 months'`, 'MR044', /make up a year/, /3 months/],
    ['nothing long', `'d.event', 'at', '0 days'`, 'MR044', /go ahead/, /whole days/],
    ['backwards', `'d.event', 'at', '-1 month'`, 'MR044', /go ahead/, /whole days/],
    ['no period', `'d.event', 'at', null`, 'MR044', /none/, /whole days/],
    ['no premake', `'d.event', 'at', premake => 0`, 'MR045', /premake/, /premake => 3/],
    ['null premake', `'d.event', 'at', premake => null`, 'MR045', /premake/, /premake => 3/],
    ['retain too short', `'d.event', 'at', retain => '3 weeks'`, 'MR045', /shorter/, /retain/],
    ['another retention', `'d.event', 'at', retention => 'keep'`, 'MR045', /keep/, /detach/],
    ['no lock timeout', `'d.event', 'at', lock_timeout => '0'`, 'MR045', /minute/, /example/],
    ['keep through', `'d.event', 'at', keep_derived => true`, 'MR048', /another table/, /Copy/],
  ];

  test.each(WRONG)('%s', async (what, args, sqlState, detail, hint) => {
    await client.query(`
      create view d.shown as select * from d.event;
      create table d.plain (at timestamptz);
      create table d.listed (at timestamptz) partition by list (at);
      create table d.two (at timestamptz, id bigint) partition by range (at, id);
      create table d.expressed (at timestamp) partition by range (extract(year from at));
      create table d.numbered (id bigint) partition by range (id);
    `);
    if (what === 'keep through') {
      await client.query(`
        create table d.team (id bigint primary key, n bigint not null default 0);
        alter table d.actor add team_id bigint references d.team;
        alter table d.event add foreign key (actor_id) references d.actor;
        select millrace.counter('d.team.n', 'd.event', '{via.team_id}', through => 'd.actor')`);
    }
    const error = await expectSqlState(
      client.query(`select millrace.partition_by_time(${args})`),
      sqlState,
    );
    expect(error.detail).toMatch(detail);
    expect(error.hint).toMatch(hint);
    // The community's own telemetry is partitioned.
    expect(await count("millrace.partitioning where relation::text like 'd.%'")).toBe(0);
  });

  test('by somebody else', async () => {
    await client.query(`
      grant usage on schema millrace to app_account;
      grant execute on all functions in schema millrace to app_account`);
    try {
      await expect(
        db.asAccount(1, (account) =>
          account.query(`select millrace.partition_by_time('d.event', 'at')`),
        ),
      ).rejects.toMatchObject({ code: 'MR014' });
    } finally {
      await client.query(`
        revoke usage on schema millrace from app_account;
        revoke execute on all functions in schema millrace from app_account`);
    }
  });

  test.each([
    [`select millrace.partition_plan('d.event')`, 'MR046'],
    [`call millrace.partition_run('{"table": "d.event"}')`, 'MR046'],
    [`call millrace.partition_run('{"table": "d.nowhere"}')`, 'MR001'],
    [`call millrace.partition_move_default('d.event')`, 'MR046'],
    [`select millrace.drop_partitioning('d.event')`, 'MR046'],
    [`select millrace.partition_forget('d.actor.events')`, 'MR046'],
  ])('%s: %s', async (statement, sqlState) => {
    const error = await expectSqlState(client.query(statement), sqlState);
    expect(error.hint).toBeTruthy();
  });
});

const EVENTS: Expectation = {
  name: 'd.actor.events',
  target: 'd.actor',
  column: 'events',
  exact: 'd.actor_events',
  truth: 'select count(*) from d.event e where e.actor_id = t.id',
};
const KINDS: Expectation = {
  ...EVENTS,
  name: 'd.actor.kinds',
  column: 'kinds',
  exact: 'd.actor_kinds',
  truth: 'select count(distinct e.kind) from d.event e where e.actor_id = t.id',
};
const SIZE: Expectation = {
  ...EVENTS,
  name: 'd.actor.size',
  column: 'size',
  exact: 'd.actor_size',
  truth: 'select coalesce(sum(e.size), 0) from d.event e where e.actor_id = t.id',
};

async function declareCounters(...which: Expectation[]): Promise<void> {
  for (const { name } of which) {
    const rest = {
      'd.actor.events': '',
      'd.actor.kinds': ", distinct_on => '{kind}'",
      'd.actor.size': ", value => 'size'",
    }[name];
    await client.query(`select millrace.counter('${name}', 'd.event', '{actor_id}'${rest})`);
  }
}

describe('old partitions', () => {
  test('are detached and kept, others stay', async () => {
    await addMonths('ancient', -40, -30);
    await addMonths('older', -30, -13);
    await addMonths('young', -13, -11);
    await client.query(
      `insert into d.event (at) values ('${(await moment('month', -35)).toISOString()}')`,
    );
    await declare(`retain => '12 months'`);
    expect(await plan()).toEqual([
      { action: 'detach', partition: 'd.ancient' },
      { action: 'detach', partition: 'd.older' },
    ]);
    expect(await run({ dryRun: true })).toMatchObject([
      { table: 'd.event', action: 'detach', partition: 'd.ancient', error: null },
      { action: 'detach', partition: 'd.older' },
    ]);
    expect(await plan()).toHaveLength(2);
    expect(await run({ table: 'd.event' })).toHaveLength(2);
    expect((await bounds())[0]!.partition).toBe('d.young');
    expect(await count('d.ancient')).toBe(1);
    expect(await count('d.event')).toBe(0);
    const { rows } = await client.query(
      `select obj_description('d.ancient'::regclass, 'pg_class') as description`,
    );
    expect(rows[0].description).toMatch(/^Detached from d\.event at/);
    expect(await status()).toMatchObject({ alarm: null, failures: 0, last_error: null });
    const { rows: log } = await client.query(
      `select name, note, error from millrace.run_log where kind = 'partition' order by id desc limit 2`,
    );
    expect(log).toEqual([
      { name: 'd.event', note: 'detach d.older', error: null },
      { name: 'd.event', note: 'detach d.ancient', error: null },
    ]);
  });

  test('are dropped where that is declared', async () => {
    await addMonths('ancient', -40, -30);
    await declare(`retain => '12 months', retention => 'drop'`);
    expect(await run()).toMatchObject([{ action: 'drop', partition: 'd.ancient', error: null }]);
    expect((await client.query(`select to_regclass('d.ancient') as gone`)).rows[0].gone).toBeNull();
  });

  test('that cannot go do not hold up the others, and are reported', async () => {
    await addMonths('ancient', -40, -30);
    await addMonths('older', -30, -20);
    await declare(`retain => '12 months', retention => 'drop'`);
    await client.query('create view d.seen as select * from d.ancient');
    const error = await expectSqlState(run(), 'MR049');
    expect(error.detail).toMatch(/^drop d\.ancient: cannot drop table d\.ancient/);
    expect(error.hint).toContain('partition_run');
    expect((await bounds())[0]!.partition).toBe('d.ancient');
    expect((await bounds()).map(({ partition }) => partition)).not.toContain('d.older');
    expect(await status()).toMatchObject({
      failures: 1,
      alarm: 'runs that failed: 1',
      last_error: expect.stringContaining('d.seen depends on'),
    });
    await client.query('drop view d.seen');
    await run();
    expect(await status()).toMatchObject({ failures: 0, alarm: null, last_error: null });
  });

  test('whose rows foreign keys refer to stay until nothing does', async () => {
    await addMonths('ancient', -40, -30);
    const at = (await moment('month', -35)).toISOString();
    await client.query(`
      create table d.note (event_id bigint, event_at timestamptz,
        foreign key (event_id, event_at) references d.event on delete cascade);
      insert into d.event (at) values ('${at}');
      insert into d.note select id, at from d.event;
    `);
    await declare(`retain => '12 months'`);
    expect((await expectSqlState(run(), 'MR049')).detail).toMatch(
      /d\.ancient: .*violates foreign key/,
    );
    expect(await count('d.note')).toBe(1);
    await client.query('delete from d.note');
    await run();
    expect(await bounds()).not.toContainEqual(expect.objectContaining({ partition: 'd.ancient' }));
    expect(await count('d.ancient')).toBe(1);
  });

  test('with a detach that somebody left unfinished', async () => {
    await addMonths('ancient', -40, -30);
    await addMonths('older', -30, -20);
    await declare(`retain => '12 months'`);
    await other.query('begin; select count(*) from d.event');
    await client.query("set lock_timeout to '50ms'");
    await expectSqlState(
      client.query('alter table d.event detach partition d.ancient concurrently'),
      '55P03',
    );
    await client.query('reset lock_timeout');
    expect(await status()).toMatchObject({ alarm: 'the detach of d.ancient is pending' });
    expect((await plan())[0]).toEqual({ action: 'finalize', partition: 'd.ancient' });
    await other.query('rollback');
    expect(await run()).toMatchObject([
      { action: 'finalize', partition: 'd.ancient', error: null },
      { action: 'detach', partition: 'd.older', error: null },
    ]);
    expect(await status()).toMatchObject({ alarm: null });
  });
});

describe('what is derived', () => {
  test('is not safe where a partition may be written past its table: an alarm', async () => {
    await addMonths('loose', -1, 0);
    await declare();
    await client.query('grant select, insert on d.loose to app_account');
    expect(await status()).toMatchObject({ alarm: null });
    await declareCounters(EVENTS);
    expect(await status()).toMatchObject({
      alarm: 'partitions that others than the owner may write: 1',
    });
    await client.query('revoke insert on d.loose from app_account');
    expect(await status()).toMatchObject({ alarm: null });
  });

  test('follows the rows of removed partitions: counts, sums, distinct counts', async () => {
    await addMonths('ancient', -40, -30);
    await addMonths('older', -30, -13);
    await declare(`retain => '12 months'`);
    await declareCounters(EVENTS, KINDS, SIZE);
    await insertEvents(600, -40, 1);
    await drainAll(client);
    const expectations = [EVENTS, KINDS, SIZE];
    await checkStored(client, { expectations });
    const all = await count('d.event');
    await run();
    expect(await count('d.event')).toBeLessThan(all);
    await checkExact(client, { expectations });
    await drainAll(client);
    await checkStored(client, { expectations });
    expect(await reconciled()).toEqual([]);
    const { rows } = await client.query(
      'select count(*)::integer as n from millrace.partition_change',
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('by counts alone gets few log rows for many', async () => {
    await addMonths('ancient', -40, -30);
    await declare(`retain => '12 months'`);
    await declareCounters(EVENTS, KINDS);
    const at = (await moment('month', -35)).toISOString();
    await client.query(`insert into d.event (actor_id, at)
      select i % 3 + 1, '${at}' from generate_series(1, 3000) i`);
    await drainAll(client);
    await run();
    // 1,000 of each actor, in images of at most 181: the square of that fits a smallint.
    const { rows } = await client.query(`select count(*)::integer as n, sum(sign)::integer as sum,
      min(sign)::integer as min from millrace_log.d__event`);
    expect(rows).toEqual([{ n: 18, sum: -3000, min: -181 }]);
    await checkExact(client, { expectations: [EVENTS, KINDS] });
    await drainAll(client);
    await checkStored(client, { expectations: [EVENTS, KINDS] });
  });

  test('counts its own rows afresh where they come back after their partition went', async () => {
    await client.query(`
      create table d.thread (id bigint, at timestamptz, notes bigint not null default 0,
        primary key (id, at)) partition by range (at);
      create table d.note (id bigint primary key, thread_id bigint, thread_at timestamptz,
        foreign key (thread_id, thread_at) references d.thread on delete cascade);
      create index on d.note (thread_id, thread_at);
      create table d.thread_old partition of d.thread for values
        from ('${(await moment('month', -40)).toISOString()}')
        to ('${(await moment('month', -13)).toISOString()}');
    `);
    const at = (await moment('month', -20)).toISOString();
    await declare(`retain => '12 months'`, 'd.thread');
    await client.query(
      `select millrace.counter('d.thread.notes', 'd.note', '{thread_id,thread_at}')`,
    );
    await client.query(`
      insert into d.thread (id, at) values (1, '${at}');
      insert into d.note values (1, 1, '${at}'), (2, 1, '${at}');
      select millrace.drain();
      delete from d.note;
    `);
    // Two old images wait in the log, for a row that goes with its partition and comes again.
    await run();
    await client.query(`
      create table d.thread_again partition of d.thread for values
        from ('${at}') to ('${(await moment('month', -13)).toISOString()}');
      insert into d.thread (id, at) values (1, '${at}');
    `);
    const expectations = [
      {
        name: 'd.thread.notes',
        target: 'd.thread',
        column: 'notes',
        exact: 'd.thread_notes',
        truth: 'select count(*) from d.note n where n.thread_id = t.id and n.thread_at = t.at',
      },
    ];
    await checkExact(client, { expectations });
    await drainAll(client);
    await checkStored(client, { expectations });
    await checkExact(client, { expectations });
  });

  test('is right though rows changed while they were being removed', {
    timeout: 60_000,
  }, async () => {
    const expectations = [EVENTS, KINDS, SIZE];
    await prepareRemoval();
    await removeWhile(CHANGES);
    expect((await bounds())[0]!.partition).not.toBe('d.ancient');
    expect(await count('d.ancient')).toBeGreaterThan(100);
    await checkExact(client, { expectations });
    await drainAll(client);
    await checkStored(client, { expectations });
    expect(await reconciled()).toEqual([]);
    expect(await count('millrace.partition_change')).toBe(0);
  });

  test('would be wrong without the notes of those changes', { timeout: 60_000 }, async () => {
    await mutate(
      'millrace.partition_remove',
      'execute v_later.correction',
      "execute 'select 1 where $1 is null'",
    );
    try {
      await prepareRemoval();
      await removeWhile(CHANGES);
      await drainAll(client);
      expect(await reconciled()).toHaveLength(3);
    } finally {
      await restore('partition_remove');
    }
  });

  test('would be wrong if nothing were logged', async () => {
    await mutate(
      'millrace.partition_append',
      'execute v_statement.append',
      "execute 'select 0, pg_current_snapshot()'",
    );
    try {
      await prepareRemoval();
      await run();
      await drainAll(client);
      expect(await reconciled()).toHaveLength(3);
    } finally {
      await restore('partition_append');
    }
  });

  test('is right however the removal is killed, and the next one ends it', async () => {
    await prepareRemoval();
    for (const step of ['watching', 'appended', 'appended', 'last']) {
      const remover = await db.connect();
      const pid = await backendPid(remover);
      await other.query(
        step === 'watching'
          ? 'begin; lock table d.ancient in row exclusive mode'
          : 'begin; select count(*) from d.event',
      );
      const removed = run({}, remover).catch((error: Error) => error.message);
      await waitUntilBlocked(db.pool, pid);
      if (step !== 'last') {
        await terminate(pid);
        expect(await removed).toMatch(/terminat/);
        await other.query('rollback');
        await client.query(CHANGES);
      } else {
        await other.query('rollback');
        expect(await removed).toMatchObject([{ action: 'detach', error: null }]);
        await remover.end();
      }
      await checkExact(client, { expectations: [EVENTS, KINDS, SIZE] });
      expect(await reconciled()).toEqual([]);
    }
    expect(await count('millrace.partition_change')).toBe(0);
    await drainAll(client);
    await checkStored(client, { expectations: [EVENTS, KINDS, SIZE] });
  });

  test('cannot be removed from in a transaction that does not see all rows', async () => {
    await prepareRemoval();
    await client.query("set default_transaction_isolation to 'repeatable read'");
    expect((await expectSqlState(run(), 'MR049')).detail).toContain(
      'only be removed in read committed',
    );
    await client.query('reset default_transaction_isolation');
    await run();
    expect(await reconciled()).toEqual([]);
  });

  test('is not made wrong by a snapshot that is older than the removal', async () => {
    await prepareRemoval();
    await other.query('begin isolation level repeatable read');
    await other.query('select 1');
    await run();
    await expectSqlState(other.query('select millrace.reconcile(null, true)'), '40001');
    await other.query('rollback; begin isolation level repeatable read; select 1');
    await client.query(`insert into d.event (actor_id, at) values (1, now())`);
    await other.query('select millrace.reconcile(null, true)');
    await other.query('commit');
    await drainAll(client);
    await checkStored(client, { expectations: [EVENTS, KINDS, SIZE] });
  });

  test.each([
    [false, 20_261_001],
    [true, 20_261_002],
  ])('is right in a random history (kept: %s)', { timeout: 120_000 }, async (keep, seed) => {
    const random = createRandom(seed);
    const months = [-26, -22, -18, -14, -10, -6];
    for (const [i, from] of months.entries()) await addMonths(`old_${i}`, from, from + 4);
    await declareCounters(EVENTS, KINDS, SIZE);
    let gone: string[] = [];
    const expectations = () =>
      [EVENTS, KINDS, SIZE].map((expectation) => ({
        ...expectation,
        truth: keep
          ? expectation.truth.replace(
              'd.event e',
              `(${['table d.event', ...gone.map((it) => `table ${it}`)].join(' union all ')}) e`,
            )
          : expectation.truth,
      }));
    const operations = [
      () => insertEvents(1 + random.below(30), -26, 4),
      () => client.query(`delete from d.event where id % 13 = $1`, [random.below(13)]),
      () =>
        client.query(`update d.event set kind = chr(97 + $1), size = size + 1 where id % 5 = $2`, [
          random.below(6),
          random.below(5),
        ]),
      () =>
        client.query(`update d.event set actor_id = $1 where id % 9 = $2`, [
          random.pick([1, 2, 3, null]),
          random.below(9),
        ]),
      () =>
        client.query(
          `update d.event e set at = (select at from d.event o order by o.id offset $1 limit 1)
           where id % 17 = $2`,
          [random.below(5), random.below(17)],
        ),
      () => client.query('select millrace.drain($1)', [random.pick([3, 20, 20_000])]),
    ];
    for (const retain of [24, 20, 16, 12, 8, 4]) {
      for (let i = 0; i < 7; i += 1) {
        await random.pick(operations)();
        await checkExact(client, { expectations: expectations() });
      }
      await declare(`retain => '${retain} months', keep_derived => ${keep}`);
      const before = await bounds();
      await run();
      const after = (await bounds()).map(({ partition }) => partition);
      gone = [...gone, ...before.map((it) => it.partition).filter((it) => !after.includes(it))];
      await checkExact(client, { expectations: expectations() });
    }
    expect(gone.length).toBeGreaterThan(3);
    await drainAll(client);
    await checkStored(client, { expectations: expectations() });
    await checkExact(client, { expectations: expectations() });
    expect(await reconciled()).toEqual([]);
  });

  async function prepareRemoval(args = ''): Promise<void> {
    await addMonths('ancient', -40, -13);
    await declare(`retain => '12 months', lock_timeout => '1 second'${args}`);
    await declareCounters(EVENTS, KINDS, SIZE);
    await insertEvents(500, -40, 1);
    await insertEvents(500, -40, -13);
    await drainAll(client);
  }
});

describe('what is derived and kept', () => {
  /** As what is counted, with the rows of the detached partitions. */
  const kept = (expectation: Expectation): Expectation => ({
    ...expectation,
    truth: expectation.truth.replace('d.event e', '(table d.event union all table d.ancient) e'),
  });
  const expectations = [EVENTS, KINDS, SIZE].map(kept);

  async function prepareKept(): Promise<void> {
    await addMonths('ancient', -40, -13);
    await declareCounters(EVENTS, KINDS);
    await declare(`retain => '12 months', keep_derived => true`);
    // One that is declared later is prepared when the first partition goes.
    await declareCounters(SIZE);
    await insertEvents(400, -40, 1);
    await insertEvents(400, -40, -13);
    await drainAll(client);
    // Some of what the partition holds waits in the log when it goes.
    await client.query(`
      update d.event set kind = 'z', size = 40 where id % 6 = 0;
      delete from d.event where id % 8 = 0`);
  }

  test('outlives the rows: reads, drains, recounts, reconciles, a pause', async () => {
    await prepareKept();
    await run();
    expect(await bounds()).not.toContainEqual(expect.objectContaining({ partition: 'd.ancient' }));
    const check = async () => {
      await checkExact(client, { expectations });
      expect(await reconciled()).toEqual([]);
    };
    await check();
    await drainAll(client);
    await checkStored(client, { expectations });
    await check();
    await client.query(`
      insert into d.event (actor_id, kind, at) select i % 3 + 1, 'q', now() from generate_series(1, 9) i;
      delete from d.event where id % 5 = 0`);
    await check();
    for (const { name } of expectations) {
      await client.query('select millrace.pause($1)', [name]);
      await check();
      await client.query('select millrace.resume($1)', [name]);
    }
    await check();
    await drainAll(client);
    await checkStored(client, { expectations });
    await check();
    const { rows } = await client.query(
      'select name, partitions from millrace.partition_kept order by name',
    );
    expect(rows).toEqual([
      { name: 'd.actor.events', partitions: 1 },
      { name: 'd.actor.kinds', partitions: 1 },
      { name: 'd.actor.size', partitions: 1 },
    ]);
  });

  test('is right though rows changed while they were being removed', async () => {
    await prepareKept();
    // The counter that is new is prepared in the run, which has to read the truth's views.
    await removeWhile(CHANGES);
    await checkExact(client, { expectations });
    await drainAll(client);
    await checkStored(client, { expectations });
    expect(await reconciled()).toEqual([]);
  });

  test('holds also for what is declared while the rows are being read: by the next run', async () => {
    await addMonths('ancient', -40, -13);
    await declareCounters(EVENTS);
    await declare(`retain => '12 months', keep_derived => true, lock_timeout => '10 seconds'`);
    await insertEvents(300, -40, 1);
    await drainAll(client);
    await other.query(`begin; lock table millrace_log.d__actor__events__kept`);
    const remover = await db.connect();
    const pid = await backendPid(remover);
    const removed = expectSqlState(run({}, remover), 'MR049');
    await waitUntilBlocked(db.pool, pid);
    await declareCounters(SIZE);
    await drainAll(client);
    await other.query('rollback');
    expect((await removed).detail).toContain('was declared while d.ancient was being removed');
    await remover.end();
    await run();
    const both = [EVENTS, SIZE].map(kept);
    await checkExact(client, { expectations: both });
    await checkStored(client, { expectations: both });
    expect(await reconciled()).toEqual([]);
  });

  test('would be lost at the next reconcile without being kept', async () => {
    await mutate(
      'millrace.partition_append',
      'execute v_statement.append',
      "execute 'select 0, pg_current_snapshot()'",
    );
    try {
      await prepareKept();
      await run();
      await drainAll(client);
      expect(await reconciled()).toHaveLength(3);
    } finally {
      await restore('partition_append');
    }
  });

  test('is taken over by the same declaration, and by no other', async () => {
    await prepareKept();
    await run();
    await client.query(`select millrace.drop('d.actor.kinds')`);
    await declareCounters(KINDS);
    await drainAll(client);
    await checkExact(client, { expectations });
    await checkStored(client, { expectations });
    const error = await expectSqlState(
      client.query(`select millrace.counter('d.actor.kinds', 'd.event', '{actor_id}',
        filter => 'size > 1', distinct_on => '{kind}')`),
      'MR048',
    );
    expect(error.detail).toContain('1 removed partitions of d.event');
    expect(error.hint).toContain(`partition_forget('d.actor.kinds')`);
    await client.query(`select millrace.partition_forget('d.actor.kinds')`);
    await checkExact(client, { expectations: [kept(EVENTS), KINDS] });
    await drainAll(client);
    await checkStored(client, { expectations: [kept(EVENTS), KINDS] });
    await client.query(`select millrace.counter('d.actor.kinds', 'd.event', '{actor_id}',
        filter => 'size > 1', distinct_on => '{kind}')`);
    expect(await reconciled()).toEqual([]);
  });

  test('grows with every partition that goes', async () => {
    await addMonths('ancient', -40, -30);
    await addMonths('older', -30, -13);
    await declareCounters(EVENTS, KINDS, SIZE);
    await declare(`retain => '12 months', keep_derived => true`);
    await insertEvents(300, -40, 1);
    await drainAll(client);
    await run();
    const both = [EVENTS, KINDS, SIZE].map((expectation) => ({
      ...expectation,
      truth: expectation.truth.replace(
        'd.event e',
        '(table d.event union all table d.ancient union all table d.older) e',
      ),
    }));
    await checkExact(client, { expectations: both });
    await checkStored(client, { expectations: both });
    expect(await reconciled()).toEqual([]);
  });

  test('stays possible to give up for the partitions to come', async () => {
    await addMonths('ancient', -40, -30);
    await declareCounters(EVENTS);
    await declare(`retain => '12 months', keep_derived => true`);
    await insertEvents(300, -40, 1);
    await run();
    await declare(`retain => '12 months'`);
    const at = (await moment('month', -20)).toISOString();
    await addMonths('older', -30, -13);
    await client.query(`insert into d.event (actor_id, at) values (1, '${at}'), (2, '${at}')`);
    await checkExact(client, { expectations: [kept(EVENTS)] });
    await run();
    await checkExact(client, { expectations: [kept(EVENTS)] });
    expect(await reconciled()).toEqual([]);
  });

  test('is not possible through another table: the partition stays until that is changed', async () => {
    await prepareKept();
    await client.query(`
      create table d.team (id bigint primary key, n bigint not null default 0);
      alter table d.actor add team_id bigint references d.team;
      delete from d.event where actor_id is null;
      alter table d.event add foreign key (actor_id) references d.actor;
      select millrace.counter('d.team.n', 'd.event', '{via.team_id}', through => 'd.actor')`);
    expect((await expectSqlState(run(), 'MR049')).detail).toContain('d.team.n cannot outlive');
    expect((await bounds())[0]!.partition).toBe('d.ancient');
    await client.query(`select millrace.drop('d.team.n')`);
    await run();
    await checkExact(client, { expectations });
    expect(await reconciled()).toEqual([]);
  });
});

describe('a derived relation', () => {
  const DAYS = `
    create view d.day_definition as
      select (e.at at time zone 'UTC')::date as day, e.kind, count(*) as n, sum(e.size) as size
      from d.event e group by 1, 2;
    create index on d.event (((at at time zone 'UTC')::date), kind)`;
  const declareDays = (strategy = 'incremental') =>
    client.query(
      strategy === 'refresh'
        ? `select millrace.materialize('d.day', 'd.day_definition', '{day,kind}', 'refresh')`
        : `select millrace.materialize('d.day', 'd.day_definition', '{day,kind}', sources =>
             '{"d.event": "select (at at time zone ''UTC'')::date, kind from changed"}')`,
    );
  const ALL = 'select * from d.event union all select * from d.ancient';
  /** The days as they are to be, of the events of that query. */
  const truthOf = (events: string) => `select (e.at at time zone 'UTC')::date as day, e.kind,
    count(*) as n, sum(e.size) as size from (${events}) e group by 1, 2`;

  async function expectDays(relation: string, truth: string): Promise<void> {
    const { rows } = await client.query(
      `(select * from (${truth}) t except all select day, kind, n, size from ${relation})
       union all (select day, kind, n, size from ${relation} except all select * from (${truth}) t)
       limit 3`,
    );
    expect(rows, relation).toEqual([]);
  }

  async function prepareDays(args: string): Promise<void> {
    await addMonths('ancient', -40, -13);
    await client.query(DAYS);
    await declareDays();
    await declare(`retain => '12 months'${args}`);
    await insertEvents(300, -40, 1);
    await insertEvents(300, -40, -13);
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf('select * from d.event'));
  }

  test('follows the rows of removed partitions', async () => {
    await prepareDays('');
    await run();
    await expectDays('d.day_live', truthOf('select * from d.event'));
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf('select * from d.event'));
    expect(await reconciled()).toEqual([]);
  });

  test('follows them by refresh too', async () => {
    await addMonths('ancient', -40, -13);
    await client.query(DAYS);
    await declareDays('refresh');
    await declare(`retain => '12 months'`);
    await insertEvents(300, -40, 1);
    await client.query(`select millrace.run_now('d.day')`);
    await run();
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf('select * from d.event'));
    const error = await expectSqlState(declare(`keep_derived => true`), 'MR048');
    expect(error.hint).toContain('incremental');
  });

  const CHANGE_DAYS = `
    update d.event set size = size + 100 where id % 3 = 0;
    delete from d.event where id % 7 = 0;
    update d.event set kind = 'new' where id % 5 = 0;
    insert into d.event (kind, size, at)
      select 'late', 5, min(at) + interval '1 hour' from d.event;
    with moved as (select id from d.event where id % 11 = 1 order by id)
    update d.event e set at = now() from moved m where e.id = m.id`;

  test('outlives them where that is declared: reads, recomputes, reconciles, a rebuild', async () => {
    await prepareDays(', keep_derived => true');
    // Some keys wait for the job, some changes in the log, when the partition goes.
    await client.query(`update d.event set size = 50 where id % 13 = 0; select millrace.drain()`);
    await client.query(CHANGE_DAYS);
    await run();
    expect(await bounds()).not.toContainEqual(expect.objectContaining({ partition: 'd.ancient' }));
    const check = async () => {
      await expectDays('d.day_live', truthOf(ALL));
      expect(await reconciled()).toEqual([]);
    };
    await check();
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf(ALL));
    await check();
    await client.query(`insert into d.event (kind, at) values ('q', now()), ('r', now())`);
    await check();
    await client.query(`select millrace.pause('d.day')`);
    await expectDays('d.day_live', truthOf(ALL));
    await client.query(`select millrace.resume('d.day'); select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf(ALL));
    await check();
    const { rows } = await client.query(
      'select name, kind, partitions from millrace.partition_kept',
    );
    expect(rows).toEqual([{ name: 'd.day', kind: 'materialize', partitions: 1 }]);
    expect(await count('millrace.partition_key')).toBe(0);
  });

  test('is right though rows changed while they were being removed', async () => {
    await prepareDays(', keep_derived => true');
    await removeWhile(CHANGE_DAYS);
    await expectDays('d.day_live', truthOf(ALL));
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf(ALL));
    expect(await reconciled()).toEqual([]);
  });

  test('would lose its rows at the next reconcile without being kept', async () => {
    await prepareDays(', keep_derived => true');
    await mutate('millrace.partition_remove', 'execute v_later.finish', 'perform 1');
    try {
      await run();
      expect(await reconciled()).toHaveLength(1);
    } finally {
      await restore('partition_remove');
    }
  });

  test('keeps what it has when its definition changes, and when it is dropped and declared', {
    timeout: 90_000,
  }, async () => {
    await prepareDays(', keep_derived => true');
    await run();
    await client.query(`
      drop view d.day_definition;
      create view d.day_definition as
        select (e.at at time zone 'UTC')::date as day, e.kind, count(*) as n, sum(e.size) as size,
          max(e.id) as last_id
        from d.event e group by 1, 2`);
    await declareDays();
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf(ALL));
    const kept = await count('d.day where last_id is null');
    expect(kept).toBeGreaterThan(100);
    expect(await count('d.day where last_id is not null')).toBeGreaterThan(10);
    // What goes from now on has the new column.
    await addMonths('older', -30, -29);
    const at = (await moment('month', -30)).toISOString();
    await client.query(`insert into d.event (kind, at) values ('older', '${at}')`);
    await client.query(`select millrace.run_now('d.day')`);
    await run();
    await client.query(`select millrace.drop('d.day')`);
    await declareDays();
    await client.query(`select millrace.run_now('d.day')`);
    expect(await count('d.day where last_id is null')).toBe(kept);
    expect(await count(`d.day where kind = 'older' and last_id is not null`)).toBe(1);
    const other = `select millrace.materialize('d.day', 'd.day_definition', '{kind,day}', sources =>
      '{"d.event": "select kind, (at at time zone ''UTC'')::date from changed"}')`;
    expect((await expectSqlState(client.query(other), 'MR048')).hint).toContain('partition_forget');
    await client.query(`select millrace.partition_forget('d.day')`);
    await expectDays('d.day_live', truthOf('select * from d.event'));
    await client.query(`select millrace.run_now('d.day')`);
    await expectDays('d.day', truthOf('select * from d.event'));
    await client.query(other);
  });

  test('does not keep rows that would stand still: the partition stays', async () => {
    await addMonths('ancient', -40, -13);
    await client.query(`
      create view d.kind_definition as select kind, count(*) as n from d.event group by 1;
      create index on d.event (kind);
      select millrace.materialize('d.kind', 'd.kind_definition', '{kind}',
        sources => '{"d.event": "kind"}')`);
    await declare(`retain => '12 months', keep_derived => true`);
    await insertEvents(300, -40, 1);
    const error = await expectSqlState(run(), 'MR049');
    expect(error.detail).toMatch(
      /d\.ancient cannot go .*: the row \["[a-e]"\] of d\.kind has rows in d\.event_/,
    );
    expect((await bounds())[0]!.partition).toBe('d.ancient');
    await declare(`retain => '12 months'`);
    await run();
    await client.query(`select millrace.run_now('d.kind')`);
    expect(await reconciled()).toEqual([]);
  });

  test('whose job is at work, or that is paused, makes the removal wait', async () => {
    await prepareDays(`, keep_derived => true, lock_timeout => '20 milliseconds'`);
    const { rows } = await client.query(`select id from millrace.derivation where name = 'd.day'`);
    await other.query('begin');
    await other.query('select millrace.lock_relation($1)', [rows[0].id]);
    expect((await expectSqlState(run(), 'MR049')).detail).toContain('at work: It is d.day');
    await other.query('rollback');
    await client.query(`select millrace.pause('d.day')`);
    expect((await expectSqlState(run(), 'MR049')).detail).toContain('The state of d.day is paused');
    await client.query(`select millrace.resume('d.day'); select millrace.run_now('d.day')`);
    await run();
    await expectDays('d.day', truthOf(ALL));
    expect(await reconciled()).toEqual([]);
  });
});

describe('the default partition', () => {
  /** d.event with a default partition, some rows of the time before the first partition in it. */
  async function prepareDefault(rows: number, args = ''): Promise<void> {
    await declare(`default_partition => true${args}`);
    await client.query(
      `insert into d.event (actor_id, kind, size, at)
       select i % 3 + 1, chr(97 + i % 5), i % 17, $1::timestamptz + i * interval '61 minutes'
       from generate_series(1, $2) i`,
      [await moment('month', -8), rows],
    );
  }

  /** Every row of the table with where it is, and whether it belongs there. */
  async function rowsInDefault(): Promise<number> {
    return (await status()).default_rows;
  }

  test('is not made unless asked for, nor is there an alarm without rows', async () => {
    await declare();
    expect(await status()).toMatchObject({ default_partition: null, default_rows: null });
    await declare('default_partition => true');
    expect(await status()).toMatchObject({
      default_partition: 'd.event_default',
      default_rows: 0,
      alarm: null,
    });
    expect(await plan()).toEqual([]);
    const error = await expectSqlState(
      client.query(`drop table d.event_default; call millrace.partition_move_default('d.event')`),
      'MR047',
    );
    expect(error.hint).toMatch(/Nothing/);
  });

  test('rows in it are an alarm, and stand in the way of their partition', async () => {
    await prepareDefault(5);
    expect(await status()).toMatchObject({
      default_rows: 5,
      alarm: 'rows in the default partition: 5',
    });
    await client.query(`insert into d.event (at) values ($1)`, [await moment('month', 5)]);
    await declare('premake => 6, default_partition => true');
    const blocked = (await plan()).filter(({ action }) => action === 'blocked');
    expect(blocked).toHaveLength(1);
    expect(await status()).toMatchObject({ ahead: 4 });
    const error = await expectSqlState(run(), 'MR049');
    expect(error.detail).toMatch(
      /^blocked d\.event_\d{4}_\d\d: Rows of d\.event_default stand in the way/,
    );
    await client.query(`call millrace.partition_move_default('d.event')`);
    const steps = await run();
    expect(steps).toEqual(
      steps.map(() => expect.objectContaining({ action: 'create', error: null })),
    );
    expect(await status()).toMatchObject({ ahead: 6, alarm: null, default_rows: 0 });
  });

  test('is emptied into partitions of whole periods, and nothing derived notices', async () => {
    await prepareDefault(2000);
    await declareCounters(EVENTS, KINDS, SIZE);
    await drainAll(client);
    const before = await client.query('select * from d.event order by id');
    await client.query(`
      create table d.heard (id bigint, op text);
      create function d.tg_event__hear() returns trigger language plpgsql as
        $$begin insert into d.heard values (coalesce(new.id, old.id), tg_op); return null; end$$;
      create trigger hear after insert or delete on d.event
        for each row execute function d.tg_event__hear();
      create trigger hear_always after delete on d.event
        for each row execute function d.tg_event__hear();
      alter table d.event_default enable always trigger hear_always;
      create trigger hear_here after delete on d.event_default
        for each statement execute function d.tg_event__hear();
    `);
    const triggers = `select tgname, tgenabled from pg_trigger
      where tgrelid = 'd.event_default'::regclass and tgconstraint = 0 order by tgname`;
    const { rows: triggersBefore } = await client.query(triggers);
    const { rows } = await client.query(`call millrace.partition_move_default('d.event')`);
    expect(rows).toEqual([{ moved: '2000' }]);
    expect((await client.query('select * from d.event order by id')).rows).toEqual(before.rows);
    expect(await count('d.heard')).toBe(0);
    expect((await client.query(triggers)).rows).toEqual(triggersBefore);
    expect(triggersBefore).toHaveLength(3);
    const list = await bounds();
    expect(list.slice(0, 3).map(({ from }) => from)).toEqual([
      await moment('month', -8),
      await moment('month', -7),
      await moment('month', -6),
    ]);
    expect(await rowsInDefault()).toBe(0);
    expect(await status()).toMatchObject({ alarm: null });
    const { rows: logged } = await client.query(
      'select count(*)::integer as n from millrace_log.d__event',
    );
    expect(logged).toEqual([{ n: 0 }]);
    expect(await reconciled()).toEqual([]);
    await client.query('insert into d.event (at) values (now())');
    expect(await count('d.heard')).toBe(1);
  });

  test('in batches: several partitions for a period, cut where it reads well', async () => {
    await prepareDefault(700);
    await client.query(
      `insert into d.event (at) select $1::timestamptz + interval '400 days' from generate_series(1, 60)`,
      [await moment('month', 5)],
    );
    const { rows } = await client.query(`call millrace.partition_move_default('d.event', 50)`);
    expect(rows).toEqual([{ moved: '760' }]);
    const end = await moment('month', -7);
    const list = (await bounds()).filter(({ from }) => from < end);
    expect(list.length).toBeGreaterThan(12);
    expectContiguous(list);
    for (const { from } of list) expect(from.toISOString()).toMatch(/T00:00:00\.000Z$/);
    for (const { partition } of list) expect(await count(partition)).toBeLessThanOrEqual(50);
    expect(await rowsInDefault()).toBe(0);
    expect(await count('d.event')).toBe(760);
    // Those of one moment cannot be divided.
    expect(await count((await bounds()).at(-1)!.partition)).toBe(60);
  });

  test('of dates and timestamps, with generated columns and times that belong to no period', async () => {
    for (const type of ['date', 'timestamp']) {
      await client.query(`
        drop table if exists d.kept;
        create table d.kept (id integer generated always as identity, at ${type},
          doubled integer generated always as (size * 2) stored, size integer) partition by range (at)`);
      await declare('default_partition => true', 'd.kept');
      await client.query(`
        insert into d.kept (at, size) select ('2020-01-30'::${type} + i * interval '1 day')::${type}, i
          from generate_series(0, 40) i;
        insert into d.kept (at, size) values (null, 1), ('infinity', 2), ('-infinity', 3)`);
      const { rows } = await client.query(`call millrace.partition_move_default('d.kept', 12)`);
      expect(rows).toEqual([{ moved: '41' }]);
      expect(await status('d.kept')).toMatchObject({ alarm: 'rows in the default partition: 3' });
      expect(await count('d.kept where doubled = size * 2')).toBe(44);
    }
  });

  test('whose rows foreign keys refer to is left alone', async () => {
    await prepareDefault(10);
    await client.query(`
      create table d.note (event_id bigint, event_at timestamptz,
        foreign key (event_id, event_at) references d.event on delete cascade);
      insert into d.note select id, at from d.event`);
    const error = await expectSqlState(
      client.query(`call millrace.partition_move_default('d.event')`),
      'MR047',
    );
    expect(error.message).toMatch(/foreign keys refer/);
    expect(await count('d.note')).toBe(10);
    expect(await rowsInDefault()).toBe(10);
  });

  test('moving without taking away is refused by Postgres, and nothing is changed', async () => {
    await prepareDefault(10);
    await mutate(
      'millrace.partition_fill',
      'delete from %1$s where %2$s returning %3$s',
      'select %3$s from %1$s where %2$s',
    );
    try {
      await expectSqlState(
        client.query(`call millrace.partition_move_default('d.event')`),
        '23514',
      );
      expect(await rowsInDefault()).toBe(10);
      expect(await count('d.event')).toBe(10);
    } finally {
      await restore('partition_fill');
    }
  });

  test('a move that loses rows is noticed: they are missing, and counted', async () => {
    await prepareDefault(40);
    await declareCounters(EVENTS);
    await drainAll(client);
    await mutate(
      'millrace.partition_fill',
      'select %3$s from moved',
      'select %3$s from moved limit 5',
    );
    try {
      await client.query(`call millrace.partition_move_default('d.event')`);
      expect(await count('d.event')).toBeLessThan(40);
      expect(await reconciled()).toHaveLength(1);
    } finally {
      await restore('partition_fill');
    }
  });

  test('loses and doubles no row while others insert, and survives being killed', {
    timeout: 60_000,
  }, async () => {
    await prepareDefault(3000, `, lock_timeout => '2 seconds'`);
    await declareCounters(EVENTS, KINDS, SIZE);
    const start = await moment('month', -8);
    let stop = false;
    const acknowledged: string[] = [];
    const refused: string[] = [];
    const writers = Array.from({ length: 3 }, async (_, number) => {
      const writer = await db.connect();
      for (let i = 0; !stop; i += 1) {
        try {
          const { rows } = await writer.query(
            `insert into d.event (actor_id, kind, size, at)
             values ($1, $2, 1, $3::timestamptz + $4 * interval '37 minutes') returning id`,
            [(i % 3) + 1, `w${number}`, start, (i * 131) % 3000],
          );
          acknowledged.push(rows[0].id);
        } catch (error) {
          refused.push((error as pg.DatabaseError).code ?? String(error));
        }
      }
      await writer.end();
    });
    let kills = 0;
    while (kills < 6) {
      const mover = await db.connect();
      const pid = await backendPid(mover);
      const moved = mover.query(`call millrace.partition_move_default('d.event', 100)`).then(
        () => true,
        () => false,
      );
      // Somewhere in the middle, wherever that is.
      const enough = acknowledged.length + 20 + kills * 7;
      while (acknowledged.length < enough) await new Promise((resolve) => setImmediate(resolve));
      await terminate(pid);
      await moved;
      kills += 1;
    }
    stop = true;
    await Promise.all(writers);
    await client.query(`call millrace.partition_move_default('d.event')`);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(await count('d.event')).toBe(3000 + acknowledged.length);
    const { rows } = await client.query(
      `select count(distinct id)::integer as n from d.event where id = any ($1)`,
      [acknowledged],
    );
    expect(rows).toEqual([{ n: acknowledged.length }]);
    expect(refused.filter((code) => code !== '23514')).toEqual([]);
    expect(await status()).toMatchObject({ default_rows: 0 });
    await drainAll(client);
    await checkStored(client, { expectations: [EVENTS, KINDS, SIZE] });
    expect(await reconciled()).toEqual([]);
  });

  test('an insert that waited for it is refused, not lost in it', async () => {
    await prepareDefault(10, `, lock_timeout => '5 seconds'`);
    const at = new Date((await moment('month', -8)).getTime() + 3_600_000);
    await other.query('begin');
    await other.query('insert into d.event (at) values ($1)', [at]);
    const mover = await db.connect();
    const moverPid = await backendPid(mover);
    const moved = mover.query(`call millrace.partition_move_default('d.event')`);
    await waitUntilBlocked(db.pool, moverPid);
    const writer = await db.connect();
    const writerPid = await backendPid(writer);
    const written = writer.query('insert into d.event (at) values ($1)', [at]).then(
      () => 'written',
      (error: pg.DatabaseError) => error.code,
    );
    await waitUntilBlocked(db.pool, writerPid);
    await other.query('commit');
    await moved;
    expect(await written).toBe('23514');
    expect(await count('d.event')).toBe(11);
    expect(await rowsInDefault()).toBe(0);
    await writer.query('insert into d.event (at) values ($1)', [at]);
    await writer.end();
    await mover.end();
  });
});

describe('who is in the way', () => {
  test('of a partition that is made: nobody who reads or writes the table', async () => {
    await declare();
    await declareCounters(EVENTS);
    await client.query(`drop table ${(await bounds()).at(-1)!.partition}`);
    await other.query('begin; insert into d.event (at) values (now()); select * from d.event');
    await client.query("set lock_timeout to '1ms'");
    expect(await run()).toMatchObject([{ action: 'create', error: null }]);
    await client.query('reset lock_timeout');
    await other.query('commit');
  });

  test('and nobody waits for it: its locks in the middle of it', async () => {
    await declare();
    const locks = async () => {
      const { rows } = await client.query(
        `select mode from pg_locks where pid = pg_backend_pid() and relation = 'd.event'::regclass`,
      );
      return rows.map(({ mode }) => mode).sort();
    };
    const create = `select millrace.partition_create('d.event',
      '2099-01-01 00:00Z', '2099-02-01 00:00Z')`;
    await client.query('begin');
    await client.query(create);
    expect(await locks()).toEqual(['AccessShareLock', 'ShareUpdateExclusiveLock']);
    await client.query('rollback');
    // The check of this test: what create table … partition of takes.
    await client.query(`begin; create table d.sabotage partition of d.event
      for values from ('2099-01-01') to ('2099-02-01')`);
    expect(await locks()).toContain('AccessExclusiveLock');
    await client.query('rollback');
  });

  test('no row is read when a filled partition is attached; without the check all are', async () => {
    await declare('default_partition => true');
    await client.query(`insert into d.event (at) values ('2001-05-05')`);
    const notices: string[] = [];
    const listener = (notice: { message?: string }) => notices.push(notice.message ?? '');
    client.on('notice', listener);
    const attach = async () => {
      notices.length = 0;
      await client.query(`begin; set local client_min_messages to debug1;
        select millrace.partition_create('d.event', '2001-05-01 00:00Z', '2001-06-01 00:00Z', true);
        rollback`);
      return notices.filter((it) => it.includes('is implied by') && it.includes('event_2001_05'));
    };
    // The functions set their own level: what they say is said at theirs.
    expect(await attach()).toHaveLength(1);
    await mutate('millrace.partition_create', 'check (%s)', 'check (%s or true)');
    try {
      expect(await attach()).toHaveLength(0);
    } finally {
      await restore('partition_create');
      client.off('notice', listener);
    }
  });

  test('somebody who changes a table that foreign keys refer to: it is tried again later', async () => {
    await client.query('alter table d.event add foreign key (actor_id) references d.actor');
    await declare(`lock_timeout => '50 milliseconds'`);
    await client.query(`drop table ${(await bounds()).at(-1)!.partition}`);
    await other.query('begin; update d.actor set events = 7 where id = 1');
    const error = await expectSqlState(run(), 'MR049');
    expect(error.detail).toMatch(
      /^create d\.event_\d{4}_\d\d: canceling statement due to lock timeout/,
    );
    expect(await status()).toMatchObject({
      ahead: 2,
      failures: 1,
      alarm: 'runs that failed: 1',
      last_error: expect.stringContaining('lock timeout'),
    });
    await expectSqlState(run(), 'MR049');
    expect((await status()).failures).toBe(2);
    const { rows } = await client.query(
      `select name, error is not null as failed, count(*)::integer as n from millrace.run_log
       where kind = 'partition' and note like 'create%' and error is not null group by 1, 2`,
    );
    expect(rows).toEqual([{ name: 'd.event', failed: true, n: 2 }]);
    await other.query('rollback');
    expect(await run()).toMatchObject([{ action: 'create', error: null }]);
    expect(await status()).toMatchObject({ ahead: 3, failures: 0, alarm: null, last_error: null });
  });

  test.each([
    ['somebody who reads the table', 'select count(*) from d.event'],
    ['somebody who writes it', 'insert into d.event (at) values (now())'],
    ['somebody who reads the partition alone', 'select count(*) from d.ancient'],
    ['somebody who changes the partition alone', 'alter table d.ancient set (fillfactor = 90)'],
  ])('of a partition that is removed: %s', async (_, statement) => {
    await addMonths('ancient', -40, -30);
    await declare(`retain => '12 months', lock_timeout => '50 milliseconds'`);
    await declareCounters(EVENTS);
    await client.query('insert into d.event (actor_id, at) values (1, $1)', [
      await moment('month', -35),
    ]);
    await other.query(`begin; ${statement}`);
    const error = await expectSqlState(run(), 'MR049');
    expect(error.detail).toMatch(/^detach d\.ancient: canceling statement due to lock timeout/);
    expect((await bounds())[0]!.partition).toBe('d.ancient');
    await checkExact(client, { expectations: [EVENTS] });
    await other.query('rollback');
    await run();
    await checkExact(client, { expectations: [EVENTS] });
    await drainAll(client);
    expect(await reconciled()).toEqual([]);
    expect(await status()).toMatchObject({ alarm: null });
  });

  test('a run beside another does nothing twice', async () => {
    await addMonths('ancient', -40, -30);
    await addMonths('older', -30, -20);
    await declare(`retain => '12 months'`);
    await client.query(`drop table ${(await bounds()).at(-1)!.partition}`);
    const runners = await Promise.all([1, 2, 3, 4].map(() => db.connect()));
    const outcomes = await Promise.all(runners.map((runner) => run({}, runner)));
    expect(outcomes.flat().every((step) => (step as { error: null }).error === null)).toBe(true);
    expect(await plan()).toEqual([]);
    expect(await status()).toMatchObject({ ahead: 3, alarm: null });
    expect(await count('d.ancient')).toBe(0);
    await Promise.all(runners.map((runner) => runner.end()));
  });

  /**
   * Somebody has changed a row that events refer to, and goes on to write an event, when the
   * removal has the table of events and wants the other. Returns the errors of both.
   */
  async function meetRemoval(): Promise<(string | undefined)[]> {
    await addMonths('ancient', -40, -30);
    await client.query('alter table d.event add foreign key (actor_id) references d.actor');
    await declare(`retain => '12 months', lock_timeout => '10 seconds'`);
    const remover = await db.connect();
    const pid = await backendPid(remover);
    await other.query('begin; update d.actor set events = 1 where id = 1');
    const codeOf = (error: pg.DatabaseError) => error.code;
    const removed = run({}, remover).then(() => undefined, codeOf);
    await waitUntilBlocked(db.pool, pid);
    const written = await other
      .query('insert into d.event (actor_id, at) values (1, now())')
      .then(() => undefined, codeOf);
    await other.query('commit');
    const outcome = [written, await removed];
    await remover.end();
    return outcome;
  }

  test('who meets a removal on two tables is in no deadlock with it', async () => {
    const [written, removed] = await meetRemoval();
    expect(written).toBeUndefined();
    expect([undefined, 'MR049']).toContain(removed);
    await run();
    expect((await bounds())[0]!.partition).not.toBe('d.ancient');
    expect(await count('d.event')).toBe(1);
  });

  test('and would be in one if the removal waited for its second lock like for the first', async () => {
    await mutate(
      'millrace.partition_locks',
      "least(partition_locks.patience, interval '100 milliseconds')",
      'partition_locks.patience',
    );
    try {
      expect(await meetRemoval()).not.toEqual([undefined, undefined]);
      const { rows } = await client.query(
        `select error from millrace.run_log where kind = 'partition' order by id desc limit 1`,
      );
      expect([rows[0]?.error ?? '']).toEqual([expect.stringMatching(/deadlock|^$/)]);
    } finally {
      await restore('partition_locks');
    }
  });
});

test('the task of tasks/ runs it, daily', async () => {
  await declare();
  const statement = await readFile(join(ROOT, 'tasks/partitions.sql'), 'utf8');
  await client.query(`drop table ${(await bounds()).at(-1)!.partition}`);
  await client.query(statement, ['{}']);
  expect(await status()).toMatchObject({ ahead: 3, alarm: null });
  expect((await status()).last_run_at).not.toBeNull();
  const items = parseCrontab(await readFile(join(ROOT, 'tasks/crontab'), 'utf8'));
  const item = items.find(({ task }) => task === 'partitions');
  expect(item?.options.backfillPeriod).toBe(86_400_000);
  expect(item?.options.maxAttempts).toBeGreaterThanOrEqual(5);
});

const CHANGES = `
  update d.event set kind = 'new', size = size + 100 where id % 3 = 0;
  update d.event set actor_id = actor_id % 3 + 1 where id % 5 = 0;
  delete from d.event where id % 7 = 0;
  insert into d.event (actor_id, kind, size, at)
    select 2, 'late', 5, min(at) + interval '1 hour' from d.event;
  update d.event set kind = 'twice', at = at + interval '1 second' where kind in ('new', 'late');
  with moved as (select id from d.event where id % 11 = 1 order by id)
  update d.event e set at = now() from moved m where e.id = m.id;
`;

/**
 * Removes d.ancient while a reader keeps it from going: its images are logged, it waits for the
 * table, gives up for a moment, in which the changes happen, and tries again.
 */
async function removeWhile(changes: string): Promise<void> {
  const remover = await db.connect();
  const writer = await db.connect();
  const pid = await backendPid(remover);
  await other.query('begin; select count(*) from d.event');
  const removed = run({}, remover);
  await waitUntilBlocked(db.pool, pid);
  await writer.query(changes);
  await other.query('commit');
  expect(await removed).toMatchObject([{ action: 'detach', error: null }]);
  await remover.end();
  await writer.end();
}

/** Events of all ages between two months counted from now, of three actors, some of no actor. */
async function insertEvents(n: number, from: number, to: number): Promise<void> {
  await client.query(
    `insert into d.event (actor_id, kind, size, at)
     select nullif(i % 4, 0), chr(97 + i % 5), i % 17,
       b.from_time + (b.to_time - b.from_time) * ((i * 7919) % 1000) / 1000.0
     from generate_series(1, $1) i
     join lateral (
       select b.*, row_number() over (order by b.from_time) - 1 as number, count(*) over () as n
       from millrace.partition_bounds('d.event') b where not b.is_default
         and b.from_time >= $2 and b.to_time <= $3
     ) b on b.number = i % b.n`,
    [n, await moment('month', from), await moment('month', to)],
  );
}

/** Plants a mistake in a function of the engine. */
async function mutate(routine: string, find: string, replace: string): Promise<void> {
  const { rows } = await client.query('select pg_get_functiondef($1::regproc) as source', [
    routine,
  ]);
  const source: string = rows[0].source;
  if (!source.includes(find)) throw new Error(`${routine} does not contain "${find}"`);
  await client.query(source.replace(find, replace));
}

/** Puts the function back as its file has it. */
async function restore(name: string): Promise<void> {
  await client.query(await readFile(join(ROOT, `functions/millrace/${name}.sql`), 'utf8'));
}

/** Ends a backend as a crash of its client's machine would; resolves when it is gone. */
async function terminate(pid: number): Promise<void> {
  const login = new pg.Client({ connectionString: db.connectionString });
  await login.connect();
  await login.query('select pg_terminate_backend($1, 10000)', [pid]);
  await login.end();
}
