import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { normalizeRequest } from 'postgraphile/grafserv';
import type { Announcements } from './announcements.ts';
import type { PersistedOperations } from './api-persisted.ts';
import type { ReadsOf } from './cache-reads.ts';
import { type CacheStatistics, etagOf, type Made, makeCacheStore } from './cache-store.ts';
import { log } from './log.ts';
import type { RedisCache } from './redis-cache.ts';

/*
 * Answers to visitors, kept: what an anonymous query gets is the same for all of them. A request that
 * says who it is, or that changes something, passes by.
 *
 * The key is the request as it came: another text is another answer. What makes an answer too much,
 * or a mistake, is never kept, so whatever is kept has passed all checks once.
 *
 * How long answers live is decided in cache-store.ts, on what they depend in cache-reads.ts.
 */

/** Milliseconds after the last sign of life for which the listener is taken to be alive. */
export const LISTENER_LEASE = 1_500;
/** Milliseconds between two signs of life that are asked for. */
export const LISTENER_HEARTBEAT = 500;

export interface ResponseCacheOptions {
  megabytes: number;
  announcements: Pick<Announcements, 'provenAt' | 'onAnnouncement'>;
  /** Reads go to a replica: it may lack what was announced, so nothing outlives a drain interval. */
  readsReplica: boolean;
  persisted: PersistedOperations | null;
  redis: RedisCache | null;
  /** Told what a response answers, for metrics: a kept answer is not looked at by anybody else. */
  nameRequest?: (response: ServerResponse, document: string, operationName: unknown) => void;
}

export interface ResponseCache {
  plugin: GraphileConfig.Plugin;
  /** From now on answers come of another schema: what is kept is forgotten. */
  setSchema(reads: ReadsOf, announced: ReadonlySet<string>): void;
  /** Forgets all answers, here and on all hosts that share a Redis. */
  clear(): Promise<void>;
  statistics(): CacheStatistics & { redis: ReturnType<RedisCache['statistics']> | null };
}

/** What grafserv sends. */
interface BufferResult {
  type: 'buffer';
  statusCode: number;
  headers: Record<string, string>;
  buffer: Buffer;
}
type Result = BufferResult | { type: string } | null;

interface Digest {
  method: string;
  path: string;
  getHeader(name: string): string | undefined;
  getBody(): unknown;
  getQueryParams(): unknown;
  requestContext: { node?: { req: IncomingMessage; res: ServerResponse } };
}

interface Question {
  key: string;
  relations: readonly string[] | null;
}

export function makeResponseCache({
  megabytes,
  announcements,
  readsReplica,
  persisted,
  redis,
  nameRequest,
}: ResponseCacheOptions): ResponseCache {
  const isCurrent = () =>
    !readsReplica && performance.now() - announcements.provenAt() < LISTENER_LEASE;
  const store = makeCacheStore({ megabytes, isCurrent });
  let readsOf: ReadsOf | null = null;
  let announced: ReadonlySet<string> = new Set();

  announcements.onAnnouncement((relation) => {
    store.invalidate(relation);
    redis?.invalidate(relation);
  });
  redis?.onClear(() => store.clear());

  /** What is asked, where the answer may be kept. */
  async function questionOf(request: Digest): Promise<Question | null> {
    if (readsOf === null || request.path !== '/graphql') return null;
    if (request.method !== 'POST' && request.method !== 'GET') return null;
    if (request.getHeader('authorization') !== undefined) return null;
    if (request.getHeader('content-encoding') !== undefined) return null;
    const asked = request.method === 'GET' ? urlQuestion(request) : await bodyQuestion(request);
    if (asked === null) return null;
    const { query, operationName, text } = asked;
    const id = persisted === null ? null : persistedId(asked);
    const document = id === null ? query : persisted?.get(id);
    if (typeof document !== 'string') return null;
    if (operationName != null && typeof operationName !== 'string') return null;
    const response = request.requestContext.node?.res;
    if (response !== undefined) nameRequest?.(response, document, operationName);
    const reads = readsOf(document, operationName ?? undefined);
    if (reads.kind === 'nothing kept') return null;
    const isCovered =
      reads.kind === 'relations' && [...reads.relations].every((it) => announced.has(it));
    return {
      key: createHash('sha1')
        .update(`${request.method}\n${request.getHeader('accept') ?? ''}\n`)
        .update(`${request.getHeader('content-type') ?? ''}\n`)
        .update(text)
        .digest('base64url'),
      relations: isCovered && reads.kind === 'relations' ? [...reads.relations] : null,
    };
  }

  async function answer(request: Digest, next: () => Result | PromiseLike<Result>) {
    // What cannot be read at all (a body that is too big, or no JSON) is refused further on.
    const question = await questionOf(request).catch((error: unknown) => {
      log.debug({ err: error }, 'a request that the cache cannot read');
      return null;
    });
    if (question === null) {
      store.bypass();
      return next();
    }
    const { key, relations } = question;
    const work = async (): Promise<Made<Result>> => {
      const token = redis && (await redis.find(key, relations));
      if (token?.answer) {
        return { result: resultOf(token.answer), answer: token.answer, age: token.age };
      }
      const began = performance.now();
      const result = await next();
      const made = kept(result);
      if (made !== null) token?.keep(made, began);
      return { result, answer: made };
    };
    const found = store.find(key);
    if (found !== undefined) {
      if (found.renew) {
        store
          .make(key, relations, work)
          .catch((error: unknown) => log.warn({ err: error }, 'an answer could not be renewed'));
      }
      return respond(request, resultOf(found.answer), found.answer.etag, 'hit');
    }
    const made = await store.make(key, relations, work);
    return made.answer === null
      ? made.result
      : respond(request, resultOf(made.answer), made.answer.etag, 'fwd=miss');
  }

  return {
    plugin: {
      name: 'MillraceCachePlugin',
      version: '0.0.0',
      grafserv: {
        middleware: {
          processRequest(next, event) {
            return answer(
              // Its body can be read twice then.
              normalizeRequest(event.requestDigest) as unknown as Digest,
              next as unknown as () => Result,
            ) as never;
          },
        },
      },
    },
    setSchema(reads, relations) {
      readsOf = reads;
      announced = relations;
      store.clear();
    },
    async clear() {
      store.clear();
      await redis?.clear();
    },
    statistics: () => ({ ...store.statistics(), redis: redis?.statistics() ?? null }),
  };
}

interface Asked {
  query?: unknown;
  operationName?: unknown;
  documentId?: unknown;
  id?: unknown;
  extensions?: unknown;
  /** All of the request that has an effect. */
  text: string | Buffer;
}

/** A body in JSON, not one that is sent in any other form. */
async function bodyQuestion(request: Digest): Promise<Asked | null> {
  if (!/^application\/json *(;|$)/i.test(request.getHeader('content-type') ?? '')) return null;
  const body = (await request.getBody()) as { type: string; buffer?: Buffer };
  if (body.type !== 'buffer' || body.buffer === undefined) return null;
  const parsed: unknown = JSON.parse(body.buffer.toString('utf8'));
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) return null;
  return { ...parsed, text: body.buffer };
}

function urlQuestion(request: Digest): Asked | null {
  const params = request.getQueryParams() as Record<string, unknown>;
  return { ...params, text: JSON.stringify(params) };
}

function persistedId({ documentId, id, extensions }: Asked): string | null {
  const { persistedQuery } = (typeof extensions === 'object' ? (extensions ?? {}) : {}) as {
    persistedQuery?: { sha256Hash?: unknown };
  };
  const ids = [documentId, id, persistedQuery?.sha256Hash];
  return ids.find((it): it is string => typeof it === 'string') ?? '';
}

/** The answer to keep: only what succeeded, in full. */
function kept(result: Result): Made<Result>['answer'] {
  if (result === null || result.type !== 'buffer') return null;
  const { statusCode, headers, buffer } = result as BufferResult;
  if (statusCode !== 200) return null;
  const payload = JSON.parse(buffer.toString('utf8')) as { data?: unknown; errors?: unknown };
  if (payload.errors !== undefined || payload.data == null) return null;
  return {
    headers: { 'content-type': headers['content-type'] ?? 'application/json' },
    body: buffer,
    etag: etagOf(buffer),
  };
}

function resultOf({ headers, body }: { headers: Record<string, string>; body: Buffer }) {
  return {
    type: 'buffer' as const,
    statusCode: 200,
    headers: { ...headers, 'content-length': String(body.length) } as Record<string, string>,
    buffer: body,
  };
}

/**
 * The answer, or 304 for who has it. Caches on the way may keep it if they ask each time: they learn
 * of no invalidation. A condition has a meaning for GET only.
 */
function respond(request: Digest, result: BufferResult, etag: string, status: string): Result {
  const headers: Record<string, string> = { 'cache-status': `millrace; ${status}` };
  if (request.method === 'GET') {
    headers['cache-control'] = 'public, no-cache';
    headers.etag = etag;
    headers.vary = 'Authorization, Accept';
    const known = request.getHeader('if-none-match');
    if (known !== undefined && matches(known, etag)) {
      return { type: 'noContent', statusCode: 304, headers } as Result;
    }
  }
  return { ...result, headers: { ...result.headers, ...headers } };
}

function matches(condition: string, etag: string): boolean {
  return condition
    .split(',')
    .map((it) => it.trim().replace(/^W\//, ''))
    .some((it) => it === etag || it === '*');
}
