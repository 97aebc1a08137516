import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { CachedAnswer } from './cache-store.ts';
import { ANNOUNCED_MAX, DRAIN_INTERVAL } from './cache-store.ts';
import { log } from './log.ts';

/*
 * The second level of the cache, shared by hosts, and their bus: answers in Redis, where `REDIS_URL`
 * names one. Without it, or while it does not answer, hosts do without and nothing is wrong.
 *
 * Each announced relation has a token in Redis, a random word. Whoever receives an announcement
 * writes another word; a shared answer carries the words of before it began to be made, and is taken
 * only when they are still the same, read together with it. A host takes nothing from Redis whose
 * token it has not yet been able to change after an announcement of its own: so an answer that it
 * takes is at least as new as everything that it has heard of. Words are random, so that one that
 * Redis has lost is never back by counting.
 *
 * A Redis that hands over to a replica may lose the last words. No answer outlives ANNOUNCED_MAX
 * (10 s), and a bounded one no drain interval, whatever Redis does.
 */

export interface RedisStatistics {
  connected: boolean;
  hits: number;
  misses: number;
  /** Asked in vain: Redis did not answer, or not in time. */
  failures: number;
}

/** How an answer that is not in Redis may be put there. */
interface Ticket {
  /** The answer, if there is one that may be given. */
  answer: CachedAnswer | null;
  /** Milliseconds since it began to be made. */
  age: number;
  /** Puts an answer there that began to be made at `began`, of `performance.now()`. */
  keep(answer: CachedAnswer, began: number): void;
}

export interface RedisCache {
  /** Null when Redis cannot be relied on for these relations; never throws. */
  find(key: string, relations: readonly string[] | null): Promise<Ticket | null>;
  /** Something in a relation changed; null: in any. */
  invalidate(relation: string | null): void;
  /** Makes all hosts forget all. */
  clear(): Promise<void>;
  onClear(callback: () => void): void;
  statistics(): RedisStatistics;
  release(): Promise<void>;
}

/** The token that every answer carries. */
const ALL = '*';
/** Milliseconds for which Redis is waited for. */
const PATIENCE = 100;
const CLEAR_CHANNEL = 'clear';

/**
 * Connects in the background; never fails.
 *
 * @param prefix of all keys: what tells one schema of one database from another.
 */
export function makeRedisCache(url: string, prefix: () => string): RedisCache {
  const options = {
    // What cannot be asked now is not asked later.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: PATIENCE,
    connectTimeout: 2_000,
    retryStrategy: (attempt: number) => Math.min(100 * attempt, 2_000),
  };
  const redis = new Redis(url, options);
  const bus = new Redis(url, { ...options, enableOfflineQueue: true, commandTimeout: undefined });
  let isReleased = false;
  const counts = { hits: 0, misses: 0, failures: 0 };
  const clearCallbacks: (() => void)[] = [];
  /** Changes of tokens that Redis has not confirmed. */
  const unconfirmed = new Map<string, number>();
  /** Announcements may have been received that no token tells of. */
  let missed = true;

  for (const [client, name] of [
    [redis, 'cache'],
    [bus, 'bus'],
  ] as const) {
    client.on('error', (error: Error) => log.debug({ reason: error.message, name }, 'no Redis'));
    // Once, however often it is tried again.
    let isAway = false;
    client.on('close', () => {
      if (!isAway && !isReleased) log.warn({ name }, 'Redis is away: this host goes on by itself');
      isAway = true;
    });
    client.on('ready', () => {
      if (isAway) log.info({ name }, 'Redis is back');
      isAway = false;
    });
  }
  redis.on('close', () => {
    missed = true;
  });
  redis.on('ready', () => void changeToken(ALL));
  bus.on('ready', () => {
    bus.subscribe(channel()).catch(() => undefined);
    // What was said while nobody listened is not known.
    for (const callback of clearCallbacks) callback();
  });
  bus.on('message', (from: string) => {
    if (from === channel()) for (const callback of clearCallbacks) callback();
  });

  const channel = () => `millrace:${CLEAR_CHANNEL}`;
  const tokenKey = (relation: string) => `${prefix()}:token:${relation}`;

  async function changeToken(relation: string): Promise<void> {
    unconfirmed.set(relation, (unconfirmed.get(relation) ?? 0) + 1);
    try {
      await redis.set(tokenKey(relation), randomUUID());
      if (relation === ALL) missed = false;
    } catch {
      missed = true;
    } finally {
      const left = unconfirmed.get(relation)! - 1;
      if (left === 0) unconfirmed.delete(relation);
      else unconfirmed.set(relation, left);
    }
    // A change that failed on a connection that stands is tried again with everything.
    if (missed && redis.status === 'ready') setTimeout(() => void changeToken(ALL), 100).unref();
  }

  const isReliable = (names: string[]) =>
    redis.status === 'ready' && !missed && !names.some((name) => unconfirmed.has(name));

  return {
    async find(key, relations) {
      const names = [ALL, ...(relations ?? [])];
      if (!isReliable(names)) return null;
      const at = `${prefix()}:answer:${key}`;
      let tokens: (string | null)[];
      let text: string | null;
      let left: number;
      try {
        // One command reads answer and words at one moment; that its time is read after it only
        // makes the answer older.
        const replies = await redis
          .pipeline()
          .mget(at, ...names.map(tokenKey))
          .pttl(at)
          .exec();
        const [words, time] = (replies ?? []).map(([error, value]) => {
          if (error) throw error;
          return value;
        });
        [text = null, ...tokens] = words as (string | null)[];
        left = time as number;
        const missing = names.filter((_, index) => tokens[index] === null);
        if (missing.length > 0) {
          // The first who asks makes the word; of several at once one does.
          for (const name of missing) await redis.set(tokenKey(name), randomUUID(), 'NX');
          text = null;
          tokens = await redis.mget(...names.map(tokenKey));
        }
      } catch {
        counts.failures += 1;
        return null;
      }
      const ticket: Ticket = {
        answer: null,
        age: 0,
        keep(answer, began) {
          const lifetime = relations === null ? DRAIN_INTERVAL : ANNOUNCED_MAX;
          const time = Math.floor(lifetime - (performance.now() - began));
          if (time <= 0 || tokens.includes(null)) return;
          const { headers, etag, body } = answer;
          const stored = JSON.stringify({ tokens, headers, etag, body: body.toString('utf8') });
          redis.set(at, stored, 'PX', time).catch(() => {
            counts.failures += 1;
          });
        },
      };
      if (text !== null && isReliable(names)) {
        const stored = read(text);
        if (left > 0 && stored !== null && isEqual(stored.tokens, tokens)) {
          counts.hits += 1;
          const lifetime = relations === null ? DRAIN_INTERVAL : ANNOUNCED_MAX;
          ticket.age = Math.max(0, lifetime - left);
          ticket.answer = { ...stored, body: Buffer.from(stored.body, 'utf8') };
          return ticket;
        }
      }
      counts.misses += 1;
      return ticket;
    },
    invalidate(relation) {
      void changeToken(relation ?? ALL);
    },
    async clear() {
      await changeToken(ALL);
      await redis.publish(channel(), '').catch(() => undefined);
    },
    onClear: (callback) => void clearCallbacks.push(callback),
    statistics: () => ({ connected: redis.status === 'ready', ...counts }),
    async release() {
      isReleased = true;
      redis.disconnect();
      bus.disconnect();
    },
  };
}

interface Stored extends Omit<CachedAnswer, 'body'> {
  tokens: string[];
  body: string;
}

/** What this program has written; null for anything else. */
function read(text: string): Stored | null {
  try {
    const stored = JSON.parse(text) as Partial<Stored> | null;
    const isOurs = Array.isArray(stored?.tokens) && typeof stored.body === 'string';
    return isOurs ? (stored as Stored) : null;
  } catch {
    return null;
  }
}

function isEqual(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((it, index) => it === others[index]);
}
