import { SafeError } from 'postgraphile/grafast';
import { type ExecutionArgs, getOperationAST } from 'postgraphile/graphql';
import { ANONYMOUS, type Identity, TokenError, verifyToken } from './jwt.ts';
import type { ApiSettings } from './pg-service.ts';

/*
 * From the Authorization header to the settings under which a request's statements run. No header
 * is anonymous; a header that is anything but a valid token ends the request with 401: a client
 * that believes to be somebody is never served as somebody else.
 */

declare global {
  // biome-ignore lint/style/noNamespace: grafast takes the types of its context this way.
  namespace Grafast {
    interface RequestContext {
      identity?: Identity;
    }
  }
}

/** Who the sockets are; each says so once, when it connects. */
const sockets = new WeakMap<object, Identity>();

/**
 * Verifies the token of each request and keeps who it is in the request's context. A web socket has
 * its token in the parameters of its connection, `{"Authorization": "Bearer …"}`, and lives no
 * longer than that.
 */
export function identityPlugin(key: Uint8Array): GraphileConfig.Plugin {
  return {
    name: 'MillraceIdentityPlugin',
    version: '0.0.0',
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, event) {
          if (event.graphqlWsContext !== undefined) {
            await identifySocket(key, event.graphqlWsContext);
            return next();
          }
          if (event.request === undefined) throw new Error('Only HTTP requests are served');
          const identity = await identityOf(key, event.request.getHeader('authorization'));
          event.request.requestContext.identity = identity;
          return next();
        },
      },
    },
  };
}

/** The settings of a request's statements: role, account, and read-only for a query. */
export function identitySettings(
  { identity: own, ws }: Partial<Grafast.RequestContext>,
  { document, operationName }: ExecutionArgs,
): ApiSettings {
  const identity = own ?? (ws?.socket && sockets.get(ws.socket));
  if (identity === undefined) throw new Error('The request was not identified');
  const settings: ApiSettings = { role: identity.role };
  if ('accountId' in identity) settings['app.account_id'] = identity.accountId;
  const operation = getOperationAST(document, operationName);
  // The events of a subscription read, as a query does.
  if (operation?.operation === 'query' || operation?.operation === 'subscription')
    settings.transaction_read_only = 'on';
  return settings;
}

async function identifySocket(
  key: Uint8Array,
  { connectionParams, extra }: { connectionParams?: unknown; extra: unknown },
): Promise<void> {
  const { socket } = extra as { socket: { close(code: number, reason: string): void } };
  if (sockets.has(socket)) return;
  const params = Object.entries((connectionParams ?? {}) as Record<string, unknown>);
  const header = params.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  const identity = await identityOf(key, header === undefined ? undefined : String(header));
  sockets.set(socket, identity);
  if (!('expiresAt' in identity)) return;
  const left = identity.expiresAt * 1_000 - Date.now();
  // Closed by the server, so that a subscription never outlives the right to it.
  const timer = setTimeout(
    () => socket.close(4403, 'The token has expired'),
    Math.min(left, MAX_TIMER),
  );
  timer.unref();
}

/** The longest that a timer of Node can wait, in milliseconds: 24 days. */
const MAX_TIMER = 2 ** 31 - 1;

async function identityOf(key: Uint8Array, header: string | undefined): Promise<Identity> {
  if (header === undefined) return ANONYMOUS;
  const token = /^Bearer +([^\s]+)$/i.exec(header.trim())?.[1];
  if (token === undefined) throw unauthenticated('The Authorization header is not a bearer token');
  try {
    return await verifyToken(key, token);
  } catch (error) {
    if (error instanceof TokenError) throw unauthenticated(error.message);
    throw error;
  }
}

function unauthenticated(message: string): SafeError {
  return new SafeError(message, {
    statusCode: 401,
    code: 'UNAUTHENTICATED',
    hint: 'Sign in again, or send no Authorization header to read what is public.',
  });
}
