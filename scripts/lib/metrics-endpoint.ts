import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendJson } from './http-json.ts';
import { log } from './log.ts';

/*
 * GET /metrics. Names of operations and derivations are nobody's business outside: with METRICS_TOKEN
 * the scraper has to bring it; without, only this machine is answered, and nobody through a proxy.
 */

export interface MetricsEndpoint {
  render(): Promise<{ contentType: string; body: string }>;
  /** `METRICS_TOKEN`; null: local scrapers only. */
  token: string | null;
}

/** Answers `/metrics`; false for any other path. */
export function handleMetrics(
  { render, token }: MetricsEndpoint,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (request.url?.split('?')[0] !== '/metrics') return false;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendJson(response, 405, { error: 'Send a GET request' }, { allow: 'GET, HEAD' });
    return true;
  }
  if (token === null ? !isLocal(request) : !hasToken(request, token)) {
    sendJson(
      response,
      token === null ? 403 : 401,
      { error: 'Metrics are for the scraper of this host' },
      token === null ? {} : { 'www-authenticate': 'Bearer' },
    );
    return true;
  }
  render().then(
    ({ contentType, body }) => {
      response.writeHead(200, {
        'content-type': contentType,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    },
    (error: unknown) => {
      log.error({ err: error }, 'the metrics could not be rendered');
      sendJson(response, 500, { error: 'The metrics could not be rendered' });
    },
  );
  return true;
}

function isLocal(request: IncomingMessage): boolean {
  const { remoteAddress = '' } = request.socket;
  const isProxied = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (name) => request.headers[name] !== undefined,
  );
  return !isProxied && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(remoteAddress);
}

function hasToken(request: IncomingMessage, token: string): boolean {
  const sent = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(sent), digest(token));
}

/** A server of its own for a process without an API: `npm run worker` with METRICS_PORT. */
export async function startMetricsServer(
  endpoint: MetricsEndpoint,
  { host, port }: { host: string; port: number },
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] === '/healthz') sendJson(response, 200, { status: 'ok' });
    else if (!handleMetrics(endpoint, request, response)) {
      sendJson(response, 404, { error: 'Nothing is here' });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
