import { readdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { ROOT } from './config.ts';
import { sendJson } from './http-json.ts';
import { log } from './log.ts';
import { ANONYMOUS_ROLE, type ApiSettings } from './pg-service.ts';

/*
 * Whether this host should get requests.
 *
 * Not ready (503): the database does not answer, or has not come to the migrations that this host was
 * made with. Degraded (200): nobody ticks, neither a ticker nor pg_cron, so stored derived values and
 * lists get old while exact reads stay right; or announcements are not received, so subscriptions are
 * silent and the cache is off. Taking every host away for that would turn it into an outage: who wants
 * it asks for `/readyz?strict`, where degraded is 503 too.
 */

/** What `/readyz` reports. */
export interface Readiness {
  status: 'ok' | 'degraded' | 'unavailable';
  /** The checks, and whether each passed; null: could not be looked at. */
  checks: {
    database: boolean;
    migrated: boolean | null;
    ticker: boolean | null;
    listener: boolean;
  };
  /** Log rows that no drain has taken yet. */
  pending?: number;
  /** Age in seconds of the oldest of them: how far stored values are behind the exact ones. */
  oldestPendingSeconds?: number;
  /** Derivations whose SQL raised; they are counted again from time to time. */
  failed?: number;
}

interface Answer {
  /** The last of the migrations that were applied, and how many were. */
  migration: string | null;
  migrations: number;
  ticker: boolean;
  pending: number;
  oldestPendingSeconds: number;
  failed: number;
}

const SETTINGS: ApiSettings = { role: ANONYMOUS_ROLE, transaction_read_only: 'on' };

export interface ReadinessSources {
  withPgClient: WithPgClient;
  /** Whether announcements are received. */
  isListening(): boolean;
  /** The migrations that this host was made with. */
  migrations: string[];
}

/** The migrations of the checkout, in order. */
export async function ownMigrations(folder = join(ROOT, 'db/migrations')): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.up.sql')).sort();
  return names.map((name) => name.replace('.up.sql', ''));
}

/** Looks at everything, with one statement. */
export async function readiness({
  withPgClient,
  isListening,
  migrations: own,
}: ReadinessSources): Promise<Readiness> {
  const listener = isListening();
  try {
    const { rows } = await withPgClient(SETTINGS, (client) =>
      client.query<{ readiness: Answer }>({
        text: 'select app_hidden.readiness() as readiness',
      }),
    );
    const { migration, migrations, ticker, ...engine } = rows[0]!.readiness;
    // A newer database serves an older host: migrations are made so, for hosts are replaced one by one.
    const last = own.at(-1) ?? '';
    const migrated = (migration ?? '') >= last && migrations >= own.length;
    const status = !migrated ? 'unavailable' : ticker && listener ? 'ok' : 'degraded';
    return { status, checks: { database: true, migrated, ticker, listener }, ...engine };
  } catch (error) {
    log.warn({ err: error }, 'not ready');
    return {
      status: 'unavailable',
      checks: { database: false, migrated: null, ticker: null, listener },
    };
  }
}

/**
 * Answers `/healthz` (the process serves; no statement) and `/readyz` (one statement). False for any
 * other path.
 */
export function handleHealth(
  sources: ReadinessSources,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const [path, query = ''] = (request.url ?? '').split('?');
  if (path === '/healthz') {
    sendJson(response, 200, { status: 'ok' });
    return true;
  }
  if (path !== '/readyz') return false;
  const isStrict = new URLSearchParams(query).has('strict');
  void readiness(sources).then((report) => {
    const isReady = report.status === 'ok' || (report.status === 'degraded' && !isStrict);
    sendJson(response, isReady ? 200 : 503, report);
  });
  return true;
}
