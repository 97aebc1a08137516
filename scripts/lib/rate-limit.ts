import type { IncomingMessage } from 'node:http';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { SafeError } from 'postgraphile/grafast';
import { parse, visit } from 'postgraphile/graphql';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { LIMITS } from './api-limits.ts';
import { log } from './log.ts';
import type { OwnRequests } from './own-requests.ts';
import { ANONYMOUS_ROLE } from './pg-service.ts';

/*
 * How much an account, and an address, may ask for in a minute.
 *
 * Ordinary requests are counted in the memory of each host: a row written for every request would
 * cost more than most of them, and all those of one address would wait for each other at it. What
 * opens a door (signing in, challenges, new accounts) is counted in Postgres, for all hosts together;
 * when Postgres does not answer, it is counted in memory, and not let through uncounted.
 *
 * An answer from the cache is not counted: it costs next to nothing.
 */

/** Requests in a minute; 0: not limited. */
export interface RateLimits {
  /** Of each account. */
  account: number;
  /** Of each address that names no account. */
  address: number;
  /** Of each address, of what opens a door. */
  door: number;
}

const PERIOD_SECONDS = 60;

/** Mutations that open a door. */
const DOORS = new Set(['requestNonce', 'signIn', 'createGuestAccount']);
/** Beside them: whatever is posted below this path. */
const DOOR_PATH = '/auth/';

/** What has been counted since the start. */
export interface RateLimitStatistics {
  limit: keyof RateLimits;
  counted: number;
  refused: number;
}

export interface RateLimiter {
  /** @throws SafeError OP005 (status 429) when it is too much. */
  count(limit: keyof RateLimits, key: string): Promise<void>;
  statistics(): RateLimitStatistics[];
}

/** @param withPgClient reaches app_hidden.count_rate_limit. */
export function makeRateLimiter(limits: RateLimits, withPgClient: WithPgClient): RateLimiter {
  const names = Object.keys(limits) as (keyof RateLimits)[];
  const limiters = new Map(
    names
      .filter((name) => limits[name] > 0)
      .map((name) => [name, makeLimiter(name, limits[name], withPgClient)]),
  );
  const statistics = new Map(
    names.map((limit) => [limit, { limit, counted: 0, refused: 0 } as RateLimitStatistics]),
  );
  return {
    async count(limit, key) {
      const limiter = limiters.get(limit);
      if (limiter === undefined) return;
      const counted = statistics.get(limit)!;
      counted.counted += 1;
      try {
        await limiter.consume(key);
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error;
        counted.refused += 1;
        throw tooMany(Math.max(1, Math.ceil(error.msBeforeNext / 1_000)));
      }
    },
    statistics: () => [...statistics.values()],
  };
}

function tooMany(retryAfter: number): SafeError {
  return new SafeError('Too many requests', {
    statusCode: 429,
    code: 'OP005',
    retryAfter,
    hint: `Try again in ${retryAfter} s.`,
  });
}

function makeLimiter(
  name: keyof RateLimits,
  points: number,
  withPgClient: WithPgClient,
): RateLimiterAbstract {
  const options = { keyPrefix: name, points, duration: PERIOD_SECONDS };
  const memory = new RateLimiterMemory(options);
  if (name !== 'door') return memory;
  return new RateLimiterPostgres({
    ...options,
    storeClient: storeClient(withPgClient),
    storeType: 'client',
    tableName: 'rate_limit',
    tableCreated: true,
    clearExpiredByTimeout: false,
    insuranceLimiter: memory,
    // Who is far above is refused without asking again.
    inMemoryBlockOnConsumed: points + 1,
  });
}

interface StoreQuery {
  name?: string;
  values: unknown[];
}

/**
 * What the limiter takes for a connection. It would write its table itself; the API's roles cannot,
 * and call the function that counts in its place.
 */
function storeClient(withPgClient: WithPgClient) {
  return {
    async query({ name, values }: StoreQuery) {
      const [key, points, until, now] = values as [string, number, number, number];
      const args: Record<string, unknown[]> = {
        'rate_limit:rlflx-upsert': [key, points, until - now, false],
        'rate_limit:rlflx-upsert-force': [key, points, until - now, true],
        'rate_limit:rlflx-get': [key, 0, 0, false],
      };
      const call = args[name ?? ''];
      if (call === undefined) throw new Error(`The rate limiter sends a new statement: ${name}`);
      try {
        const { rows } = await withPgClient({ role: ANONYMOUS_ROLE }, (client) =>
          client.query<{ used: number; left_ms: number }>({
            text: 'select used, left_ms from app_hidden.count_rate_limit($1, $2, $3, $4)',
            values: call,
          }),
        );
        return {
          rowCount: rows.length,
          rows: rows.map(({ used, left_ms }) => ({ points: used, expire: Date.now() + left_ms })),
        };
      } catch (error) {
        log.warn({ err: error }, 'a door is counted in memory: the database does not count');
        throw error;
      }
    },
  };
}

/**
 * The address that a request comes from; of IPv6 its network, because who has one address has
 * 18 quintillion of them.
 *
 * @param proxies how many proxies of ours stand before the server (`TRUST_PROXY`). Each adds the
 * address that it sees to X-Forwarded-For; what is to the left of theirs is said by the client.
 */
export function addressOf(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  proxies: number,
): string {
  const peer = socket.remoteAddress ?? '';
  const forwarded =
    proxies === 0
      ? []
      : String(headers['x-forwarded-for'] ?? '')
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '');
  return network(forwarded.at(-proxies) ?? peer);
}

function network(address: string): string {
  const text = address.slice(0, 64).toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (mapped) return mapped[1]!;
  if (!text.includes(':')) return text;
  const [left = '', right] = text.split('%')[0]!.split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** Whether an HTTP request outside of GraphQL opens a door. */
export function isDoor({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && (url ?? '').startsWith(DOOR_PATH);
}

/** How many doors a document opens, wherever they stand in it; none if it has a syntax error. */
export function doorsIn(query: string): number {
  if (![...DOORS].some((name) => query.includes(name))) return 0;
  let doors = 0;
  try {
    // What is spread twice has one name in the answer, and runs once.
    visit(parse(query, { noLocation: true, maxTokens: LIMITS.tokens }), {
      Field({ name }) {
        if (DOORS.has(name.value)) doors += 1;
      },
    });
  } catch {
    return 0;
  }
  return doors;
}

/**
 * Counts GraphQL requests: those of an account for it, all others for their address. Status 429 with
 * Retry-After when it is too much.
 */
export function rateLimitPlugin(
  limiter: RateLimiter,
  proxies: number,
  own: OwnRequests,
): GraphileConfig.Plugin {
  return {
    name: 'MillraceRateLimitPlugin',
    version: '0.0.0',
    // It has to be known who asks, and for what.
    after: ['MillraceIdentityPlugin', 'MillracePersistedPlugin'],
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, event) {
          const node = event.request?.requestContext.node;
          const socket = event.graphqlWsContext?.extra as { request: IncomingMessage } | undefined;
          const request = node?.req ?? socket?.request;
          if (request === undefined) return next();
          const identity = event.request?.requestContext.identity;
          const address = own.addressOf(request) ?? addressOf(request, proxies);
          try {
            if (identity !== undefined && 'accountId' in identity) {
              await limiter.count('account', identity.accountId);
            } else {
              await limiter.count('address', address);
            }
            const { query } = event.body;
            const doors = typeof query === 'string' ? doorsIn(query) : 0;
            for (let door = 0; door < doors; door += 1) await limiter.count('door', address);
          } catch (error) {
            const retryAfter = (error as SafeError).extensions?.retryAfter;
            if (retryAfter !== undefined) node?.res.setHeader('retry-after', String(retryAfter));
            throw error;
          }
          return next();
        },
      },
    },
  };
}
