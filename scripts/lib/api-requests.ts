import { SafeError } from 'postgraphile/grafast';
import { getOperationAST, parse } from 'postgraphile/graphql';
import { LIMITS } from './api-limits.ts';
import { log } from './log.ts';

/*
 * What is wrong with a request before it is GraphQL: its body, its headers. The server's own words
 * for it have no code; those of a malformed Accept header it takes for a fault of its own.
 *
 * That a session has ended, or that the database is not there, is learned from the first statement,
 * when the request is GraphQL already; it is refused all the same: as any token that lets nobody in by
 * 401, and by 503, and nothing else.
 */

/** Media ranges with their parameters, as HTTP has them. */
const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
const RANGE = `${TOKEN}/${TOKEN}(?:[ \\t]*;[ \\t]*${TOKEN}=(?:${TOKEN}|"[^"\\\\]*"))*`;
const ACCEPT = new RegExp(`^[ \\t]*${RANGE}(?:[ \\t]*,[ \\t]*${RANGE})*[ \\t]*$`);
/** Longer than any that a client means; the expression above takes time in proportion. */
const ACCEPT_MAX = 1_000;

/** By status. */
const REASONS: Record<number, { code: string; message: string; hint: string }> = {
  400: {
    code: 'OP006',
    message: 'The request cannot be read',
    hint: 'Send a JSON object with query and, if needed, variables and operationName.',
  },
  405: {
    code: 'OP007',
    message: 'The method is not supported here',
    hint: 'Send a POST request.',
  },
  406: {
    code: 'OP008',
    message: 'No such media type is served',
    hint: 'Accept application/json or application/graphql-response+json.',
  },
  413: {
    code: 'OP002',
    message: 'The request is too big',
    hint: 'Split it into several requests.',
  },
  415: {
    code: 'OP009',
    message: 'The body is of a type that is not read',
    hint: 'Send content-type: application/json.',
  },
};

interface Result {
  type: string;
  statusCode: number;
  headers: Record<string, string>;
  buffer?: Buffer;
}

/**
 * Gives what is refused before it is GraphQL a code and a hint. Subscriptions are refused by HTTP: an
 * answer that never ends would hold a connection that no socket's token or heartbeat ever closes.
 */
export const RequestsPlugin: GraphileConfig.Plugin = {
  name: 'MillraceRequestsPlugin',
  version: '0.0.0',
  after: ['MillraceIdentityPlugin', 'MillracePersistedPlugin'],
  grafserv: {
    middleware: {
      async processRequest(next, event) {
        const { path, headers, method } = event.requestDigest;
        const { graphqlPath, graphqlOverGET } = event.resolvedPreset.grafserv ?? {};
        if (path !== graphqlPath) return next();
        const accept = headers.accept;
        if (accept !== undefined && (accept.length > ACCEPT_MAX || !ACCEPT.test(accept))) {
          return refusal(406, {}) as never;
        }
        const result = (await next()) as Result | null;
        if (result === null) return null as never;
        if (result.statusCode === 405) {
          // A query may come by GET where that is served; what came by GET itself was more than one.
          result.headers.allow = graphqlOverGET && method !== 'GET' ? 'GET, POST' : 'POST';
        }
        return challenged(refused(result) ?? explained(result)) as never;
      },
      async processGraphQLRequestBody(next, event) {
        await next();
        if (event.request === undefined) return;
        const { query, operationName } = event.body;
        if (typeof query === 'string' && isSubscription(query, operationName)) {
          throw new SafeError('Subscriptions are served over web sockets', {
            statusCode: 400,
            code: 'OP010',
            hint: 'Connect to the same address with the protocol graphql-transport-ws.',
          });
        }
      },
    },
  },
};

function isSubscription(query: string, operationName: unknown): boolean {
  if (!query.includes('subscription')) return false;
  try {
    const document = parse(query, { noLocation: true, maxTokens: LIMITS.tokens });
    const name = typeof operationName === 'string' ? operationName : undefined;
    return getOperationAST(document, name)?.operation === 'subscription';
  } catch {
    return false;
  }
}

function explained(result: Result): Result {
  if (result.type === 'error') return refusal(result.statusCode, result.headers ?? {});
  if (result.type !== 'buffer' || result.statusCode < 400) return result;
  const { errors } = JSON.parse(result.buffer?.toString('utf8') ?? '{}') as {
    errors?: { message: string; extensions?: { code?: string } }[];
  };
  if (errors?.every((error) => error.extensions?.code !== undefined)) return result;
  return refusal(result.statusCode, result.headers, errors?.[0]?.message);
}

/** By code of an error that leaves nothing of a request to be run: the status of its refusal. */
const REFUSALS: Record<string, number> = {
  // app_hidden.enter_session: the session has ended.
  AC010: 401,
  // pg-service.ts: no connection is free, or there is no database to connect to.
  OP004: 503,
  OP016: 503,
};
/** Seconds after which who was refused by 503 may try again. */
const RETRY_AFTER = '2';

/**
 * The refusal of a request of which nothing could be run, or null for any other answer. One that
 * holds something stays as it is: a mutation that signed out, and wanted more.
 */
function refused(result: Result): Result | null {
  if (result.type !== 'buffer' || result.statusCode !== 200) return null;
  const { buffer } = result;
  if (!buffer || !Object.keys(REFUSALS).some((code) => buffer.includes(code))) return null;
  const { data, errors } = JSON.parse(buffer.toString('utf8')) as {
    data?: Record<string, unknown> | null;
    errors?: { message: string; extensions?: { code?: string } }[];
  };
  const reason = errors?.find(({ extensions }) => Object.hasOwn(REFUSALS, extensions?.code ?? ''));
  if (reason === undefined) return null;
  // `__typename` of a root is all that is answered without a statement.
  const isEmpty = Object.values(data ?? {}).every(
    (value) => value === null || value === 'Query' || value === 'Mutation',
  );
  if (!isEmpty) return null;
  const { message, extensions } = reason;
  const status = REFUSALS[extensions?.code ?? ''] ?? 500;
  const headers =
    status === 503 ? { ...result.headers, 'retry-after': RETRY_AFTER } : result.headers;
  return json(status, headers, [{ message, extensions }]);
}

/** Adds to a refusal of a token how to be somebody (RFC 9110, 15.5.2). */
function challenged(result: Result): Result {
  if (result.statusCode !== 401) return result;
  return { ...result, headers: { ...result.headers, 'www-authenticate': 'Bearer' } };
}

function refusal(status: number, headers: Record<string, string>, detail?: string): Result {
  const reason = REASONS[status] ?? (status < 500 ? REASONS[400] : undefined);
  if (reason === undefined) log.error({ status, detail }, 'a request failed before it was run');
  const { message, ...extensions } = reason ?? {
    message: 'Something went wrong',
    code: 'INTERNAL',
    hint: 'Send it again later.',
  };
  const known = reason === undefined ? {} : { detail };
  return json(status, headers, [{ message, extensions: { ...extensions, ...known } }]);
}

function json(status: number, headers: Record<string, string>, errors: unknown[]): Result {
  const buffer = Buffer.from(JSON.stringify({ errors }), 'utf8');
  return {
    type: 'buffer',
    statusCode: status,
    headers: {
      ...headers,
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(buffer.length),
    },
    buffer,
  };
}
