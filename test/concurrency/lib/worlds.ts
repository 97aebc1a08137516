import pg from 'pg';
import { inject } from 'vitest';
import { createTestDatabase } from '../../lib/database.ts';
import { databaseUrl } from '../../lib/database-url.ts';
import { runToRest } from './oracle.ts';
import { createWorld } from './world.ts';

/** Databases that hold the same world, each made in a moment. */
export interface Worlds {
  /** A new copy; returns its connection string (the login's). */
  copy(): Promise<string>;
  /** Runs `work` on a copy that is dropped afterwards. */
  with<T>(work: (connectionString: string) => Promise<T>): Promise<T>;
  /** Drops all copies. For `afterAll`. */
  drop(): Promise<void>;
}

/** Runs `work` on a connection as the owner. */
export async function withOwner<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, options: '-c role=app_owner' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes a world once, and lets everything in it be derived; `prepare` may add to it. */
export async function createWorlds(
  prepare: (client: pg.Client) => Promise<void> = async () => undefined,
): Promise<Worlds> {
  const template = await createTestDatabase();
  const owner = await template.connect();
  await createWorld(owner);
  await prepare(owner);
  const stuck = await runToRest(owner);
  if (stuck.length > 0) throw new Error(`the new world does not come to rest: ${stuck}`);
  // A database with a connection cannot be copied.
  await owner.end();
  const server = inject('server');
  const copies = new Set<string>();
  let made = 0;

  async function administer(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  }

  async function copy(): Promise<string> {
    made += 1;
    const name = `${template.name}_${made}`;
    copies.add(name);
    await administer(`create database ${name} template ${template.name} strategy file_copy`);
    return databaseUrl(server, name);
  }

  async function drop(name: string): Promise<void> {
    await administer(`drop database if exists ${name} with (force)`);
    copies.delete(name);
  }

  return {
    copy,
    async with(work) {
      const connectionString = await copy();
      try {
        return await work(connectionString);
      } finally {
        await drop(new URL(connectionString).pathname.slice(1));
      }
    },
    async drop() {
      for (const name of copies) await drop(name);
      await template.drop();
    },
  };
}
