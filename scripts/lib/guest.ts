import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { sendJson } from './http-json.ts';
import { log } from './log.ts';
import { ANONYMOUS_ROLE } from './pg-service.ts';
import { type SignedIn, tokenOf } from './sign-in.ts';

/**
 * Answers `POST /auth/guest`: makes a guest account with a session and returns
 * `{accountId, sessionId, token, expiresIn}`, the last in seconds. False for any other request.
 *
 * A guest who signs in takes everything with them: send the guest's token with that request.
 *
 * The body has to be declared as JSON (it is not read): a form of another site cannot send that
 * without asking the browser first.
 */
export function handleGuest(
  withPgClient: WithPgClient,
  key: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (request.url?.split('?')[0] !== '/auth/guest') return false;
  request.resume();
  if (request.method !== 'POST') {
    sendJson(response, 405, { error: 'Send a POST request' }, { allow: 'POST' });
    return true;
  }
  if (!request.headers['content-type']?.startsWith('application/json')) {
    sendJson(response, 415, { error: 'Send content-type: application/json' });
    return true;
  }
  makeGuest(withPgClient, key).then(
    (guest) => sendJson(response, 200, guest),
    (error: unknown) => {
      log.error({ err: error }, 'no guest account could be made');
      sendJson(response, 503, { error: 'No guest account could be made; try again later' });
    },
  );
  return true;
}

async function makeGuest(withPgClient: WithPgClient, key: Uint8Array): Promise<unknown> {
  const { rows } = await withPgClient({ role: ANONYMOUS_ROLE }, (client) =>
    client.query<SignedIn>({ text: 'select * from app_hidden.open_guest_session()' }),
  );
  const { token, accountId, sessionId, expiresAt } = await tokenOf(key, rows[0]!);
  const expiresIn = Math.floor((Date.parse(expiresAt) - Date.now()) / 1_000);
  return { accountId, sessionId, token, expiresIn };
}
