import { SafeError } from 'postgraphile/grafast';
import { getOperationAST, parse } from 'postgraphile/graphql';
import { LIMITS } from './api-limits.ts';
import { log } from './log.ts';

/*
 * What is wrong with a request before it is GraphQL: its body, its headers. The server's own words
 * for it have no code; those of a malformed Accept header it takes for a fault of its own.
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
        const { path, headers } = event.requestDigest;
        if (path !== event.resolvedPreset.grafserv?.graphqlPath) return next();
        const accept = headers.accept;
        if (accept !== undefined && (accept.length > ACCEPT_MAX || !ACCEPT.test(accept))) {
          return refusal(406, {}) as never;
        }
        const result = (await next()) as Result | null;
        return (result === null ? null : explained(result)) as never;
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
  if (result.type === 'error') return refusal(result.statusCode, {});
  if (result.type !== 'buffer' || result.statusCode < 400) return result;
  const { errors } = JSON.parse(result.buffer?.toString('utf8') ?? '{}') as {
    errors?: { message: string; extensions?: { code?: string } }[];
  };
  if (errors?.every((error) => error.extensions?.code !== undefined)) return result;
  return refusal(result.statusCode, result.headers, errors?.[0]?.message);
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
  const errors = [{ message, extensions: { ...extensions, ...known } }];
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
