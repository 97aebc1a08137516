import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { watchSql } from '../../scripts/lib/dev.ts';
import { startServer } from '../../scripts/lib/server.ts';
import { createTestDatabase } from '../lib/database.ts';
import { createFixture } from '../lib/fixture.ts';

test('the GraphQL schema follows a saved function', async () => {
  const db = await createTestDatabase();
  const fixture = await createFixture();
  await cp(join(ROOT, 'db/migrations'), fixture.path('migrations'), { recursive: true });
  await cp(join(ROOT, 'db/derived'), fixture.path('derived'), { recursive: true });
  await cp(join(ROOT, 'functions'), fixture.path('functions'), { recursive: true });
  const server = await startServer({
    connectionString: db.apiConnectionString,
    key: new Uint8Array(32),
    host: '127.0.0.1',
    port: 0,
    development: true,
  });
  const { promise: reloaded, resolve, reject } = Promise.withResolvers<void>();
  const watcher = await watchSql({
    connectionString: db.connectionString,
    directories: fixture.directories,
    onApplied: () => server.reload().then(resolve),
    onError: reject,
  });
  const ask = async () => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ planted }' }),
    });
    return (await response.json()) as { data?: unknown; errors?: { message: string }[] };
  };
  try {
    expect((await ask()).errors?.[0]?.message).toMatch(/Cannot query field "planted"/);
    await fixture.write({
      'functions/app_public/planted.sql': `create function app_public.planted() returns int
        language sql stable return 42;
        grant execute on function app_public.planted to app_anonymous, app_account;`,
    });
    await reloaded;
    expect(await ask()).toEqual({ data: { planted: 42 } });
  } finally {
    await watcher.close();
    await server.stop();
    await fixture.drop();
    await db.drop();
  }
});
