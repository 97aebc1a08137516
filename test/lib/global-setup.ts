import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrateUp } from '../../scripts/lib/migrations.ts';
import { startTestServer } from '../../scripts/lib/scratch.ts';
import { databaseUrl, grantTestRoles } from './database-url.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A login that may create databases, on the run's server. */
    server: string;
    /** Name of the migrated template database; empty when migrating it failed. */
    template: string;
    /** Why the template could not be migrated; empty when it could. */
    templateError: string;
    /** Prefix of the run's databases. */
    prefix: string;
  }
}

/**
 * Once in a test run: a server, and on it a database that is migrated and then only copied.
 *
 * A fault in a migration fails the tests that ask for a copy, with that error, not the tests of the
 * tools that a maintainer needs to find it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer();
  const prefix = `millrace_test_${process.pid}_${Date.now().toString(36)}`;
  const template = `${prefix}_template`;
  const admin = new pg.Client({ connectionString: server.connectionString });
  await admin.connect();
  await admin.query(`create database ${template}`);
  let templateError = '';
  try {
    const target = databaseUrl(server.connectionString, template);
    await migrateUp(target);
    await grantTestRoles(target);
  } catch (error) {
    templateError = (error as Error).stack ?? String(error);
    console.error(`\nThe template database cannot be migrated:\n${describe(error)}\n`);
  }
  project.provide('server', server.connectionString);
  project.provide('template', template);
  project.provide('templateError', templateError);
  project.provide('prefix', prefix);

  return async () => {
    const { rows } = await admin.query<{ datname: string }>(
      'select datname from pg_database where starts_with(datname, $1)',
      [`${prefix}_`],
    );
    for (const { datname } of rows) {
      await admin.query(`drop database ${pg.escapeIdentifier(datname)} with (force)`);
    }
    await admin.end();
    await server.stop();
  };
}

function describe(error: unknown): string {
  const formatted = (error as { format?: () => string }).format?.();
  return formatted ?? (error as Error).message;
}
