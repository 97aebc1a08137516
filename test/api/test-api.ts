import { startWireProxy, type WireProxy } from '../../scripts/bench/wire-proxy.ts';
import { issueToken, type TokenRole, tokenKey } from '../../scripts/lib/jwt.ts';
import { type ApiServer, type ServerOptions, startServer } from '../../scripts/lib/server.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/** The body of a GraphQL response, with its status. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test asked for is what it gets.
  data: any;
  errors?: {
    message: string;
    path?: (string | number)[];
    extensions?: Record<string, unknown>;
  }[];
}

export interface TestApi {
  db: TestDatabase;
  server: ApiServer;
  /** Between the server and the database. */
  proxy: WireProxy;
  key: Uint8Array;
  /** Sends a query over HTTP. */
  query(text: string, options?: RequestOptions): Promise<Answer>;
  /** An Authorization header for an account. */
  as(accountId: bigint | number | string, role?: TokenRole): Promise<string>;
  /** Makes an account. */
  account(name?: string): Promise<string>;
  stop(): Promise<void>;
}

export interface RequestOptions {
  variables?: Record<string, unknown>;
  /** The Authorization header. */
  authorization?: string;
}

export interface TestApiOptions {
  /** Connections of each pool. Default 1: whoever comes next gets the same connection. */
  poolSize?: number;
  development?: boolean;
  /** Further options of the server. */
  server?: Partial<ServerOptions>;
  /** Run as owner before the server reads the schema. */
  prepare?: (db: TestDatabase) => Promise<unknown>;
}

/** The server of the real API on a database of the test's own, over real HTTP. */
export async function startTestApi({
  poolSize = 1,
  development = true,
  server: serverOptions,
  prepare,
}: TestApiOptions = {}): Promise<TestApi> {
  const db = await createTestDatabase();
  await prepare?.(db);
  const proxy = await startWireProxy(db.apiConnectionString);
  const key = tokenKey(
    'a secret that only this test knows, long enough for every algorithm of the family',
  );
  const server = await startServer({
    connectionString: proxy.connectionString,
    key,
    host: '127.0.0.1',
    port: 0,
    development,
    poolSize,
    ...serverOptions,
  });
  proxy.reset();
  return {
    db,
    server,
    proxy,
    key,
    async query(text, { variables, authorization } = {}) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(authorization === undefined ? {} : { authorization }),
        },
        body: JSON.stringify({ query: text, variables }),
      });
      return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) };
    },
    async as(accountId, role = 'account') {
      const token = await issueToken(key, { accountId: String(accountId), role, lifetime: 600 });
      return `Bearer ${token}`;
    },
    async account(name = 'Somebody') {
      const { rows } = await db.pool.query<{ id: string }>(
        'insert into app_public.account (display_name) values ($1) returning id',
        [name],
      );
      return rows[0]!.id;
    },
    async stop() {
      await server.stop();
      await proxy.close();
      await db.drop();
    },
  };
}
