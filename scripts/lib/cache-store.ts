import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/*
 * Answers kept, and when they may be given again.
 *
 * An answer is *bounded*: it may depend on anything, and is given again for one drain interval after
 * the moment at which it began to be made, which is before its snapshot. Or it is *announced*: it
 * depends on nothing but derived relations each of whose changes is announced when it is committed,
 * and it is given again until one of them is.
 *
 * Why an announced answer is never older than an announcement that has been received: each relation
 * has a generation, which an announcement raises. An answer carries the generations of before it
 * began to be made, and is given only while they are the same, at the moment it is given. Its
 * snapshot is taken after they were read; so a change that it does not show is committed after that,
 * and announced after that: when the announcement is received, the generation is another one,
 * whether the answer has been stored by then or is stored later. What joins an answer that is being
 * made is held to the same rule.
 *
 * Announcements are received as long as the listener is proven to be alive: `isCurrent`. While it is
 * not, announced answers are neither given nor kept, and when it listens again all generations are
 * raised, because nobody knows what was missed.
 */

/** Milliseconds for which a bounded answer may be given: one interval of the drain. */
export const DRAIN_INTERVAL = 250;
/** Milliseconds after which an announced answer is made again all the same. */
export const ANNOUNCED_MAX = 10_000;
/** The share of its time after which an answer is made again in the background when asked for. */
const REVALIDATE = 0.5;

export interface CachedAnswer {
  headers: Record<string, string>;
  body: Buffer;
  /** Of the body. */
  etag: string;
}

interface Entry extends CachedAnswer {
  /** When it began to be made. */
  began: number;
  /** Until when it may be given. */
  until: number;
  validity: Validity;
  /** It is being made again. */
  isRenewed: boolean;
}

/** The generations that an answer depends on; of a bounded one that of everything only. */
interface Validity {
  everything: number;
  generations: readonly (readonly [relation: string, generation: number])[] | null;
}

/** How an answer is to be kept: null where no announcement covers all that it depends on. */
export type Relations = readonly string[] | null;

export interface CacheStatistics {
  /** Given from the cache; `stale` of them while they were made again, within their time. */
  hits: number;
  stale: number;
  /** Made, and of them those that were asked for again while they were being made. */
  misses: number;
  joined: number;
  /** Not for the cache: they change something, depend on who asks, or on what is not known. */
  bypassed: number;
  /** Made and not kept: an error, or something changed meanwhile. */
  discarded: number;
  /** Removed for want of space. */
  evictions: number;
  /** Announcements received, and times that everything was dropped. */
  invalidations: number;
  clears: number;
  entries: number;
  bytes: number;
  /** hits / (hits + misses + joined); null before the first. */
  hitRate: number | null;
  /** Whether announcements are received: without them nothing lives longer than a drain interval. */
  listening: boolean;
}

export interface CacheStoreOptions {
  /** Space for answers. */
  megabytes: number;
  /** Whether announcements are received for certain. */
  isCurrent: () => boolean;
  /** A clock that does not go back; milliseconds. */
  now?: () => number;
}

/** What is made: null is not kept. */
export interface Made<T> {
  result: T;
  answer: CachedAnswer | null;
  /** Milliseconds before its making began here at which it had begun elsewhere. Default 0. */
  age?: number;
}

export interface CacheStore {
  /** An answer that may be given now. `renew`: it should be made again in the background. */
  find(key: string): { answer: CachedAnswer; renew: boolean } | undefined;
  /** Makes an answer, once for all who ask for it meanwhile, and keeps it if that is right. */
  make<T>(key: string, relations: Relations, work: () => Promise<Made<T>>): Promise<Made<T>>;
  /** Something in a relation changed; null: in any. */
  invalidate(relation: string | null): void;
  /** Forgets all. */
  clear(): void;
  bypass(): void;
  statistics(): CacheStatistics;
}

/** The ETag of a body. */
export function etagOf(body: Buffer): string {
  return `"${createHash('sha1').update(body).digest('base64url')}"`;
}

/** An empty cache in memory. */
export function makeCacheStore({
  megabytes,
  isCurrent,
  now = () => performance.now(),
}: CacheStoreOptions): CacheStore {
  const counts = {
    hits: 0,
    stale: 0,
    misses: 0,
    joined: 0,
    bypassed: 0,
    discarded: 0,
    evictions: 0,
    invalidations: 0,
    clears: 0,
  };
  const entries = new LRUCache<string, Entry>({
    maxSize: megabytes * 1_048_576,
    maxEntrySize: Math.max(1, (megabytes * 1_048_576) / 16),
    sizeCalculation: (entry, key) => entry.body.length + key.length + 512,
    dispose: (_entry, _key, reason) => {
      if (reason === 'evict') counts.evictions += 1;
    },
  });
  const flights = new Map<string, { began: number; validity: Validity; made: Promise<unknown> }>();
  const generations = new Map<string, number>();
  let everything = 0;

  const generation = (relation: string) => generations.get(relation) ?? 0;

  function validityOf(relations: Relations): Validity {
    const announced = relations !== null && isCurrent();
    return {
      everything,
      generations: announced
        ? relations.map((relation) => [relation, generation(relation)] as const)
        : null,
    };
  }

  function isValid(validity: Validity): boolean {
    if (validity.everything !== everything) return false;
    if (validity.generations === null) return true;
    return (
      isCurrent() &&
      validity.generations.every(([relation, number]) => generation(relation) === number)
    );
  }

  const lifetime = ({ generations: announced }: Validity) =>
    announced === null ? DRAIN_INTERVAL : ANNOUNCED_MAX;

  return {
    find(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      const time = now();
      if (time >= entry.until || !isValid(entry.validity)) {
        // A listener that is silent for a moment may prove to be alive.
        if (time >= entry.until || isCurrent()) entries.delete(key);
        return undefined;
      }
      counts.hits += 1;
      const isOld = time - entry.began >= (entry.until - entry.began) * REVALIDATE;
      const renew = isOld && !entry.isRenewed;
      if (renew) entry.isRenewed = true;
      if (isOld) counts.stale += 1;
      return { answer: entry, renew };
    },

    async make<T>(key: string, relations: Relations, work: () => Promise<Made<T>>) {
      const flying = flights.get(key);
      if (flying && now() - flying.began < DRAIN_INTERVAL && isValid(flying.validity)) {
        counts.joined += 1;
        const made = (await flying.made) as Made<T>;
        // What could be kept can be shared; an error is each one's own.
        if (made.answer !== null && isValid(flying.validity)) return made;
      }
      counts.misses += 1;
      // Read before the work begins: see above.
      const validity = validityOf(relations);
      const began = now();
      const made = work();
      const flight = { began, validity, made };
      flights.set(key, flight);
      try {
        const { answer, age = 0 } = await made;
        const entry = { began: began - age, until: began - age + lifetime(validity), validity };
        if (answer === null || now() >= entry.until || !isValid(validity)) {
          counts.discarded += 1;
        } else {
          entries.set(key, { ...answer, ...entry, isRenewed: false });
        }
        return await made;
      } finally {
        if (flights.get(key) === flight) flights.delete(key);
      }
    },

    invalidate(relation) {
      counts.invalidations += 1;
      if (relation === null) everything += 1;
      else generations.set(relation, generation(relation) + 1);
    },

    clear() {
      counts.clears += 1;
      everything += 1;
      entries.clear();
    },

    bypass() {
      counts.bypassed += 1;
    },

    statistics() {
      const asked = counts.hits + counts.misses + counts.joined;
      return {
        ...counts,
        entries: entries.size,
        bytes: entries.calculatedSize,
        hitRate: asked === 0 ? null : counts.hits / asked,
        listening: isCurrent(),
      };
    },
  };
}
