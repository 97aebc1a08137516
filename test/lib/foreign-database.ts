import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { databaseUrl } from './database-url.ts';

/*
 * Databases that this project has not made: their owner is a role of their own without any
 * attribute, they hold what the test puts into them, and no app_* role has a right on them.
 */

export interface ForeignDatabase {
  name: string;
  /** The role that owns the database: no superuser, no createrole, no createdb. */
  owner: string;
  /** The connection string of a role; default: the owner. */
  url(role?: string): string;
  /** The connection string of the server's login, a superuser, to this database. */
  adminUrl: string;
  /** A new connection as a role, closed by `drop` at the latest. */
  connect(role?: string, config?: pg.ClientConfig): Promise<pg.Client>;
  /** Runs statements as a role and closes the connection; rows of the last statement. */
  run<T extends pg.QueryResultRow>(text: string, role?: string): Promise<T[]>;
  /** The same as the server's login, a superuser. */
  administer<T extends pg.QueryResultRow>(text: string): Promise<T[]>;
  /** A further plain login; `member` makes it a member of these roles. */
  createRole(name: string, options?: { member?: string[] }): Promise<string>;
  drop(): Promise<void>;
}

let counter = 0;

/** A new, empty database of that kind. */
export async function createForeignDatabase(
  options: { encoding?: string; locale?: string } = {},
): Promise<ForeignDatabase> {
  const server = inject('server');
  counter += 1;
  const name = `${inject('prefix')}_${process.pid}_foreign_${counter}`;
  const password = randomBytes(12).toString('hex');
  const roles: string[] = [];
  const clients: pg.Client[] = [];

  const url = (role: string) => {
    const target = new URL(databaseUrl(server, name));
    target.username = encodeURIComponent(role);
    target.password = password;
    return target.href;
  };

  async function createRole(suffix: string, { member = [] }: { member?: string[] } = {}) {
    const role = `${name}_${suffix}`;
    await execute(
      server,
      `create role ${quote(role)} login password '${password}';
      ${member.map((it) => `grant ${quote(it)} to ${quote(role)};`).join('\n')}`,
    );
    roles.push(role);
    return role;
  }

  const owner = await createRole('owner');
  const { encoding = 'UTF8', locale = 'C' } = options;
  await execute(
    server,
    `create database ${name} owner ${quote(owner)} template template0
      encoding '${encoding}' locale '${locale}'`,
  );
  return {
    name,
    owner,
    url: (role = owner) => url(role),
    adminUrl: databaseUrl(server, name),
    async connect(role = owner, config = {}) {
      const client = new pg.Client({ connectionString: url(role), ...config });
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    run: (text, role = owner) => execute(url(role), text),
    administer: (text) => execute(databaseUrl(server, name), text),
    createRole,
    async drop() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await execute(server, `drop database if exists ${name} with (force)`);
      for (const role of roles.reverse()) await execute(server, `drop role ${quote(role)}`);
    },
  };
}

async function execute<T extends pg.QueryResultRow>(
  connectionString: string,
  text: string,
): Promise<T[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const results = await client.query<T>(text);
    return Array.isArray(results) ? (results.at(-1)?.rows ?? []) : results.rows;
  } finally {
    await client.end();
  }
}

function quote(name: string): string {
  return pg.escapeIdentifier(name);
}
