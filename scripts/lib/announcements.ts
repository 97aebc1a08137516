import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { GrafastSubscriber } from 'postgraphile/grafast';
import { log } from './log.ts';

/*
 * What the engine announces on channel `millrace` (one message for a drain or a recompute, never
 * one from a writer), handed to whoever subscribed. One connection listens for all of a host.
 *
 * A message is a hint that rows changed, not their content: who is told reads again, under their own
 * rights. So messages are merged while a subscriber is busy, and when messages may have been missed
 * (the connection was lost and another listens now) everybody is told that anything may have
 * changed.
 */

/** Rows of a relation that changed; null: any may have. */
export interface Announcement {
  keys: readonly (readonly unknown[])[] | null;
}

export interface Announcements extends GrafastSubscriber<Record<string, Announcement>> {
  /** Whether messages are received now. */
  isListening(): boolean;
  /**
   * The moment (of `performance.now()`) up to which everything that was announced has been received
   * for certain: when the server was last asked for a sign of life that it then gave. It sends what
   * was announced before the answer to what it is asked later.
   */
  provenAt(): number;
  /** Calls back for each announcement, with the relation; null: any relation. */
  onAnnouncement(callback: (relation: string | null, announcement: Announcement) => void): void;
  /** Calls back when messages are received again, or no more. */
  onState(callback: (listening: boolean) => void): void;
  /** Ends all subscriptions and the connection. */
  release(): Promise<void>;
}

export interface AnnouncementsOptions {
  /** Any login may listen. Behind a pooler in transaction mode: a direct connection. */
  connectionString: string;
  /** Milliseconds between two signs of life asked of the server. Default 15,000. */
  heartbeat?: number;
}

/** The application name of the connection that listens. */
export const ANNOUNCEMENTS = 'millrace announcements';
const RETRY_MIN = 100;
const RETRY_MAX = 5_000;
const ANYTHING: Announcement = { keys: null };
/** In place of a relation: anything may have changed (app_operator.clear_cache). */
const EVERYTHING = '*';

/** The topic of one row of a relation; the relation's own name is that of all of them. */
export function rowTopic(relation: string, key: readonly unknown[]): string {
  return `${relation}:${JSON.stringify(key.map(String))}`;
}

/** Listens until released; a lost connection is replaced. */
export function startAnnouncements({
  connectionString,
  heartbeat = 15_000,
}: AnnouncementsOptions): Announcements {
  const stopping = new AbortController();
  const { signal } = stopping;
  const topics = new Map<string, Set<Subscription>>();
  const onAnnouncement: ((relation: string | null, announcement: Announcement) => void)[] = [];
  const onState: ((listening: boolean) => void)[] = [];
  let listening = false;
  let provenAt = Number.NEGATIVE_INFINITY;
  let client: pg.Client | null = null;

  function tell(topic: string, announcement: Announcement): void {
    for (const subscription of topics.get(topic) ?? []) subscription.push(announcement);
  }

  function receive(relation: string, announcement: Announcement): void {
    tell(relation, announcement);
    if (announcement.keys === null) {
      for (const topic of topics.keys()) {
        if (topic.startsWith(`${relation}:`)) tell(topic, ANYTHING);
      }
    } else {
      for (const key of announcement.keys) tell(rowTopic(relation, key), { keys: [key] });
    }
    for (const callback of onAnnouncement) callback(relation, announcement);
  }

  function receiveEverything(): void {
    for (const topic of topics.keys()) tell(topic, ANYTHING);
    for (const callback of onAnnouncement) callback(null, ANYTHING);
  }

  function setListening(value: boolean): void {
    if (listening === value) return;
    listening = value;
    for (const callback of onState) callback(value);
  }

  async function listenUntilLost(): Promise<void> {
    const connection = new pg.Client({
      connectionString,
      application_name: ANNOUNCEMENTS,
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
    });
    client = connection;
    const lost = new Promise<void>((resolve) => {
      connection.on('error', () => resolve());
      connection.on('end', () => resolve());
    });
    connection.on('notification', ({ payload }) => {
      const message = parse(payload);
      if (message?.relation === EVERYTHING) receiveEverything();
      else if (message !== null) receive(message.relation, { keys: message.keys });
    });
    try {
      await connection.connect();
      let asked = performance.now();
      await connection.query('listen millrace');
      failures = 0;
      setListening(true);
      // What was announced while nobody listened is not known.
      receiveEverything();
      provenAt = asked;
      while (!signal.aborted) {
        const quiet = sleep(heartbeat, true, { signal }).catch(() => false);
        if (!(await Promise.race([quiet, lost.then(() => false)]))) break;
        // A connection that was cut without a word would be silent for ever.
        asked = performance.now();
        await connection.query('select 1');
        provenAt = asked;
      }
    } finally {
      provenAt = Number.NEGATIVE_INFINITY;
      setListening(false);
      // Never waits for a server that does not answer.
      void connection.end().catch(() => undefined);
    }
  }

  let failures = 0;
  async function run(): Promise<void> {
    while (!signal.aborted) {
      await listenUntilLost().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error }, 'announcements are not received');
      });
      if (signal.aborted) return;
      const wait = Math.min(RETRY_MAX, RETRY_MIN * 2 ** failures);
      failures += 1;
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    subscribe(topic) {
      const subscription = makeSubscription(() => {
        const others = topics.get(topic as string);
        others?.delete(subscription);
        if (others?.size === 0) topics.delete(topic as string);
      });
      const others = topics.get(topic as string) ?? new Set();
      topics.set(topic as string, others.add(subscription));
      return subscription;
    },
    isListening: () => listening,
    provenAt: () => provenAt,
    onAnnouncement: (callback) => void onAnnouncement.push(callback),
    onState: (callback) => void onState.push(callback),
    async release() {
      stopping.abort();
      for (const subscriptions of topics.values()) {
        for (const subscription of subscriptions) void subscription.return?.();
      }
      void client?.end().catch(() => undefined);
      await running;
    },
  };
}

/** A message of millrace.announce(), or null for whatever else is sent on the channel. */
function parse(payload: string | undefined): { relation: string; keys: unknown[][] | null } | null {
  try {
    const message: unknown = JSON.parse(payload ?? '');
    const { relation, keys } = (message ?? {}) as { relation?: unknown; keys?: unknown };
    if (typeof relation !== 'string') return null;
    return { relation, keys: Array.isArray(keys) ? keys.filter(Array.isArray) : null };
  } catch {
    return null;
  }
}

interface Subscription extends AsyncIterableIterator<Announcement> {
  push(announcement: Announcement): void;
}

/**
 * The stream of one subscriber. While it is busy with one announcement, those that come are merged
 * into the next: a slow reader gets fewer, never more than one behind.
 */
function makeSubscription(onEnd: () => void): Subscription {
  let waiting: Announcement | null = null;
  let wake: ((result: IteratorResult<Announcement>) => void) | null = null;
  let ended = false;
  const finished = { done: true, value: undefined } as const;
  return {
    push(announcement) {
      if (ended) return;
      if (wake !== null) {
        const resolve = wake;
        wake = null;
        resolve({ done: false, value: announcement });
      } else {
        waiting = merge(waiting, announcement);
      }
    },
    next() {
      if (ended) return Promise.resolve(finished);
      if (waiting !== null) {
        const value = waiting;
        waiting = null;
        return Promise.resolve({ done: false, value });
      }
      return new Promise((resolve) => {
        wake = resolve;
      });
    },
    return() {
      if (!ended) {
        ended = true;
        onEnd();
        wake?.(finished);
        wake = null;
      }
      return Promise.resolve(finished);
    },
    throw(error) {
      void this.return?.();
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function merge(first: Announcement | null, second: Announcement): Announcement {
  if (first === null) return second;
  if (first.keys === null || second.keys === null) return ANYTHING;
  const keys = new Map([...first.keys, ...second.keys].map((key) => [JSON.stringify(key), key]));
  return keys.size > 1_000 ? ANYTHING : { keys: [...keys.values()] };
}
