import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { sendJson } from './http-json.ts';
import { log } from './log.ts';
import { ANONYMOUS_ROLE, type ApiSettings } from './pg-service.ts';

/** What `/readyz` reports of the engine. */
export interface Readiness {
  /** Log rows that no drain has taken yet. */
  pending: number;
  /** Age in seconds of the oldest of them: how far stored values are behind the exact ones. */
  oldestPendingSeconds: number;
  /** Derivations whose SQL raised; they are counted again from time to time. */
  failed: number;
}

const SETTINGS: ApiSettings = { role: ANONYMOUS_ROLE, transaction_read_only: 'on' };

/**
 * Answers `/healthz` (the process serves; no statement) and `/readyz` (the database answers; one
 * statement). False for any other path.
 */
export function handleHealth(
  withPgClient: WithPgClient,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const path = request.url?.split('?')[0];
  if (path === '/healthz') {
    sendJson(response, 200, { status: 'ok' });
    return true;
  }
  if (path !== '/readyz') return false;
  withPgClient(SETTINGS, (client) =>
    client.query<{ readiness: Readiness }>({ text: 'select app_hidden.readiness() as readiness' }),
  ).then(
    ({ rows }) => sendJson(response, 200, { status: 'ok', ...rows[0]?.readiness }),
    (error: unknown) => {
      log.warn({ err: error }, 'not ready');
      sendJson(response, 503, { status: 'unavailable' });
    },
  );
  return true;
}
