import { setImmediate as turn } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Announcements, startAnnouncements } from '../../scripts/lib/announcements.ts';
import {
  ANNOUNCED_MAX,
  type CacheStore,
  DRAIN_INTERVAL,
  etagOf,
  type Made,
  makeCacheStore,
} from '../../scripts/lib/cache-store.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { until } from './until.ts';

const made = (value: unknown): Made<unknown> => {
  const body = Buffer.from(JSON.stringify(value));
  return { result: value, answer: { headers: {}, body, etag: etagOf(body) } };
};
const contentOf = (answer: { body: Buffer }) => JSON.parse(answer.body.toString());

describe('how long answers live', () => {
  let time = 0;
  let isCurrent = true;
  const store = () => makeCacheStore({ megabytes: 1, isCurrent: () => isCurrent, now: () => time });

  test('a bounded one for a drain interval from when its making began, renewed in its second half', async () => {
    const cache = store();
    await cache.make('a', null, async () => {
      time += 50;
      return made(1);
    });
    expect(cache.find('a')).toMatchObject({ renew: false });
    time += DRAIN_INTERVAL / 2 - 50;
    expect(cache.find('a')).toMatchObject({ renew: true });
    // One renewal is enough.
    expect(cache.find('a')).toMatchObject({ renew: false });
    time += DRAIN_INTERVAL / 2 - 1;
    expect(cache.find('a')).toBeDefined();
    time += 1;
    expect(cache.find('a')).toBeUndefined();
  });

  test('one that takes longer than a drain interval is not kept', async () => {
    const cache = store();
    await cache.make('a', null, async () => {
      time += DRAIN_INTERVAL;
      return made(1);
    });
    expect(cache.find('a')).toBeUndefined();
    expect(cache.statistics()).toMatchObject({ discarded: 1, entries: 0 });
  });

  test('an announced one until one of its relations changes', async () => {
    const cache = store();
    await cache.make('a', ['x', 'y'], async () => made(1));
    time += DRAIN_INTERVAL * 4;
    cache.invalidate('z');
    expect(cache.find('a')).toMatchObject({ renew: false });
    cache.invalidate('y');
    expect(cache.find('a')).toBeUndefined();
  });

  test('and never for long, should somebody write behind the back of the engine', async () => {
    const cache = store();
    await cache.make('a', ['x'], async () => made(1));
    time += ANNOUNCED_MAX - 1;
    expect(cache.find('a')).toMatchObject({ renew: true });
    time += 1;
    expect(cache.find('a')).toBeUndefined();
  });

  test('without a listener announced ones are not given, and new ones live a drain interval', async () => {
    const cache = store();
    await cache.make('a', ['x'], async () => made(1));
    isCurrent = false;
    expect(cache.find('a')).toBeUndefined();
    await cache.make('b', ['x'], async () => made(2));
    time += DRAIN_INTERVAL - 1;
    expect(cache.find('b')).toBeDefined();
    time += 1;
    expect(cache.find('b')).toBeUndefined();
    isCurrent = true;
    // It was silent, and has proven to have missed nothing.
    expect(cache.find('a')).toBeDefined();
    // It was gone, and another one listens: nobody knows what was missed.
    cache.invalidate(null);
    expect(cache.find('a')).toBeUndefined();
  });

  test('what changes while an answer is made keeps it from being kept and shared', async () => {
    const cache = store();
    const { promise, resolve } = Promise.withResolvers<Made<unknown>>();
    const slow = cache.make('a', ['x'], () => promise);
    cache.invalidate('x');
    const fresh = cache.make('a', ['x'], async () => made('new'));
    expect((await fresh).result).toBe('new');
    resolve(made('old'));
    expect((await slow).result).toBe('old');
    expect(contentOf(cache.find('a')!.answer)).toBe('new');
  });

  test("many who ask at once are one; an error is each one's own", async () => {
    const cache = store();
    let runs = 0;
    const ask = (answer: boolean) =>
      cache.make('a', null, async () => {
        runs += 1;
        await turn();
        return answer ? made(runs) : { result: 'failed', answer: null };
      });
    const all = await Promise.all(Array.from({ length: 50 }, () => ask(true)));
    expect(new Set(all.map(({ result }) => result))).toEqual(new Set([1]));
    expect(cache.statistics()).toMatchObject({ misses: 1, joined: 49 });
    cache.clear();
    runs = 0;
    await Promise.all(Array.from({ length: 5 }, () => ask(false)));
    expect(runs).toBe(5);
    expect(cache.statistics().entries).toBe(0);
  });

  test('space is bounded, and what goes is counted', async () => {
    const cache = store();
    for (let i = 0; i < 400; i += 1) {
      await cache.make(`k${i}`, null, async () => made('x'.repeat(10_000)));
    }
    const { bytes, evictions, entries } = cache.statistics();
    expect(bytes).toBeLessThanOrEqual(1_048_576);
    expect(entries).toBeGreaterThan(80);
    expect(evictions).toBe(400 - entries);
    await cache.make('huge', null, async () => made('x'.repeat(200_000)));
    expect(cache.find('huge')).toBeUndefined();
  });
});

/*
 * Real transactions, real notifications, a real listener: each change of a row announces its version
 * as the engine does, in the transaction that makes it. From the moment at which the host has heard of
 * a version, nothing older may be given.
 */
describe('never stale after an invalidation', () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await createTestDatabase();
    await db.pool.query('create table app_private.versioned (id int primary key, version bigint)');
    await db.pool.query('insert into app_private.versioned values (1, 0)');
  });
  afterAll(() => db.drop());

  type Fault = 'none' | 'invalidation dropped' | 'generation read late' | 'listener not watched';

  /** Writers, readers, and what the readers got that was older than what had been heard of. */
  async function run(fault: Fault): Promise<{ stale: number; hits: number; heard: number }> {
    await db.pool.query('update app_private.versioned set version = 0');
    const listener: Announcements = startAnnouncements({
      connectionString: db.connectionString,
      heartbeat: 50,
    });
    const reader = new pg.Pool({ connectionString: db.connectionString, max: 4 });
    const store: CacheStore = makeCacheStore({
      megabytes: 1,
      isCurrent: () =>
        fault === 'listener not watched' || performance.now() - listener.provenAt() < 1_500,
    });
    let heard = 0;
    let announcements = 0;
    listener.onAnnouncement((relation, { keys }) => {
      announcements += 1;
      if (relation === null && fault === 'listener not watched') return;
      if (fault !== 'invalidation dropped' || announcements % 7 !== 0) store.invalidate(relation);
      if (keys !== null) heard = Math.max(heard, Number(keys[0]?.[0]));
    });
    await until(() => listener.isListening(), Boolean);

    const work = async () => {
      const { rows } = await reader.query<{ version: string }>(
        'select version from app_private.versioned where id = 1',
      );
      // An answer takes time to be made of what was read.
      for (let i = 0; i < 20; i += 1) await turn();
      return made(Number(rows[0]!.version));
    };
    let stale = 0;
    let isWriting = true;
    const readers = Array.from({ length: 8 }, async () => {
      while (isWriting) {
        // What is given now may not be older than what has been heard by now.
        const known = heard;
        const found = store.find('version');
        if (found !== undefined) {
          if (contentOf(found.answer) < known) stale += 1;
          await turn();
        } else {
          const early = fault === 'generation read late' ? work() : null;
          if (early !== null) await early;
          await store.make('version', ['app_private.versioned'], async () =>
            early === null ? await work() : await early,
          );
        }
      }
    });
    const cut = () =>
      reader.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'millrace announcements' and datname = current_database()`,
      );
    const writers = Array.from({ length: 3 }, async (_, writer) => {
      for (let i = 0; i < 120; i += 1) {
        await db.pool.query(
          `with changed as (
            update app_private.versioned set version = version + 1 where id = 1 returning version
          )
          select pg_notify('millrace', jsonb_build_object(
            'relation', 'app_private.versioned', 'keys', jsonb_build_array(jsonb_build_array(version))
          )::text) from changed`,
        );
        // The connection is cut in the middle of it all; what is said meanwhile is missed.
        if (writer === 0 && i % 40 === 20) await cut();
        for (let pause = 0; pause < (writer + 1) * 15; pause += 1) await turn();
      }
    });
    await Promise.all(writers);
    // And at the end a change that nobody hears of, because nobody listens when it is committed.
    await cut();
    await until(
      () => listener.isListening(),
      (listening) => !listening,
    );
    await db.pool.query('update app_private.versioned set version = version + 1');
    await until(() => listener.isListening(), Boolean);
    for (let i = 0; i < 50; i += 1) await turn();
    isWriting = false;
    await Promise.all(readers);
    const last = store.find('version');
    const { rows } = await db.pool.query('select version from app_private.versioned');
    if (last !== undefined && contentOf(last.answer) < Number(rows[0].version)) stale += 1;
    const { hits } = store.statistics();
    await listener.release();
    await reader.end();
    return { stale, hits, heard };
  }

  test('with writers, readers, and a listener that is cut off', async () => {
    const { stale, hits, heard } = await run('none');
    expect(stale).toBe(0);
    // How much was heard depends on how long a listener takes to come back.
    expect(hits).toBeGreaterThan(0);
    expect(heard).toBeGreaterThan(0);
  });

  test.each(['invalidation dropped', 'generation read late', 'listener not watched'] as const)(
    'the check finds a planted fault: %s',
    async (fault) => {
      let found = 0;
      for (let attempt = 0; attempt < 5 && found === 0; attempt += 1) {
        found = (await run(fault)).stale;
      }
      expect(found).toBeGreaterThan(0);
    },
  );
});
