import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { ownerConfig } from '../lib/pg-owner.ts';
import { ENDPOINTS, PAGE, type Parameter } from './endpoint-requests.ts';

/*
 * What the endpoints benchmark compares the API with: a server with the same answers, written by hand
 * with `pg` and `node:http`, one route each, its statements prepared, without identity, policies,
 * limits and a query language. It is the limit of what the API can reach on the same relations.
 *
 *   node hand-written.ts CONNECTION        prints the port that it listens on
 *
 * A route is `/<endpoint>?account=…&project=…&query=…`.
 */

const [connectionString = ''] = process.argv.slice(2);
const pool = new pg.Pool({ ...ownerConfig(connectionString, 'bench by hand'), max: 20 });
const routes = new Map(ENDPOINTS.map((endpoint) => [`/${endpoint.name}`, endpoint]));

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const endpoint = routes.get(url.pathname);
  const answer = (status: number, value: unknown) => {
    const body = JSON.stringify(value);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  };
  if (endpoint === undefined) {
    answer(404, { errors: ['no such route'] });
    return;
  }
  const run = async () => {
    let rows: unknown[] = [];
    for (const [index, { text, parameters }] of endpoint.derived.entries()) {
      const result = await pool.query({
        name: `${endpoint.name}:${index}`,
        text,
        values: parameters.map((it: Parameter) => url.searchParams.get(it)),
      });
      rows = result.rows;
    }
    return endpoint.path.at(-1) === 'nodes'
      ? { nodes: rows.slice(0, PAGE), hasNextPage: rows.length > PAGE }
      : (rows[0] ?? { status: 'ok' });
  };
  run().then(
    (value) => answer(200, value),
    (error: Error) => answer(500, { errors: [error.message] }),
  );
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await pool.end();
});
