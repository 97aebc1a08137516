import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { SafeError } from 'postgraphile/grafast';
import { type ExecutionArgs, getOperationAST } from 'postgraphile/graphql';
import type { Announcements } from './announcements.ts';
import { ANONYMOUS, type Identity, TokenError, verifyToken } from './jwt.ts';
import { log } from './log.ts';
import { ANONYMOUS_ROLE, type ApiSettings } from './pg-service.ts';

/*
 * From the Authorization header to the settings under which a request's statements run. No header
 * is anonymous; a header that is anything but a valid token ends the request with 401: a client
 * that believes to be somebody is never served as somebody else.
 *
 * Whether the token's session stands is asked by the statement that puts the settings (see
 * pg-service.ts): signed out is AC010 for whatever reads or writes from then on (401, see
 * api-requests.ts), the next event of a subscription too. Sockets that hear nothing are closed as the engine announces ended sessions.
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

interface Socket {
  close(code: number, reason: string): void;
  once?(event: 'close', listener: () => void): void;
}

/** The open sockets of a server (by its key) that are in a session, by session. */
const socketsOfSessions = new WeakMap<Uint8Array, Map<string, Set<Socket>>>();

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
  if ('accountId' in identity) {
    settings['app.account_id'] = identity.accountId;
    if (identity.sessionId !== undefined) settings['app.session_id'] = identity.sessionId;
  }
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
  const { socket } = extra as { socket: Socket };
  if (sockets.has(socket)) return;
  const params = Object.entries((connectionParams ?? {}) as Record<string, unknown>);
  const header = params.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  const identity = await identityOf(key, header === undefined ? undefined : String(header));
  sockets.set(socket, identity);
  if (!('expiresAt' in identity)) return;
  if (identity.sessionId !== undefined) keepSocket(key, identity.sessionId, socket);
  const left = identity.expiresAt * 1_000 - Date.now();
  // Closed by the server, so that a subscription never outlives the right to it.
  const timer = setTimeout(
    () => socket.close(4403, 'The token has expired'),
    Math.min(left, MAX_TIMER),
  );
  timer.unref();
}

function keepSocket(key: Uint8Array, sessionId: string, socket: Socket): void {
  const sessions = socketsOfSessions.get(key) ?? new Map<string, Set<Socket>>();
  socketsOfSessions.set(key, sessions);
  const open = sessions.get(sessionId) ?? new Set();
  sessions.set(sessionId, open.add(socket));
  socket.once?.('close', () => {
    open.delete(socket);
    if (open.size === 0 && sessions.get(sessionId) === open) sessions.delete(sessionId);
  });
}

/** The relation of the sessions that stand: db/derived/access.sql. */
const LIVE_SESSIONS = 'app_private.live_session';

/**
 * Closes the sockets of sessions that end, until the announcements are released: what is announced
 * is looked up, and so are all after a time in which announcements may have been missed.
 *
 * @param key the server's: of which sockets.
 */
export function watchSessions(
  key: Uint8Array,
  announcements: Announcements,
  withPgClient: WithPgClient,
): void {
  announcements.onAnnouncement((relation, { keys }) => {
    if (relation !== null && relation !== LIVE_SESSIONS) return;
    const sessions = socketsOfSessions.get(key);
    if (sessions === undefined) return;
    const asked = keys === null ? [...sessions.keys()] : keys.map(([id]) => String(id));
    const open = asked.filter((id) => sessions.has(id));
    if (open.length > 0) closeEnded(sessions, open, withPgClient);
  });
}

function closeEnded(
  sessions: Map<string, Set<Socket>>,
  ids: string[],
  withPgClient: WithPgClient,
): void {
  withPgClient({ role: ANONYMOUS_ROLE }, (client) =>
    client.query<{ id: string }>({
      text: 'select id::text from app_hidden.ended_sessions($1::bigint[]) as id',
      values: [`{${ids.join(',')}}`],
    }),
  ).then(
    ({ rows }) => {
      for (const { id } of rows) {
        for (const socket of sessions.get(id) ?? []) socket.close(4403, 'Signed out');
      }
    },
    (error: unknown) => log.warn({ err: error }, 'ended sessions could not be looked up'),
  );
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
