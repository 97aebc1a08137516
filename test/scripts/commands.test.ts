import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { runScript } from '../host/process.ts';
import { until } from '../host/until.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../lib/database.ts';

/* What all commands have in common. */

const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const commands = Object.values(scripts)
  .map((command) => /^node (scripts\/\S+\.ts)$/.exec(command)?.[1])
  .filter((path) => path !== undefined)
  .map((path) => basename(path, '.ts'));

/** Runs it to its end where nothing may be started: no database is named, no embedded one can be. */
async function finish(name: string, args: string[], env: Record<string, string> = {}) {
  const script = runScript(name, { MILLRACE_DATA: '/dev/null/nowhere', ...env }, args);
  return { code: await script.ended, output: script.output() };
}

test('all are known', () => {
  expect(commands.length).toBeGreaterThan(15);
});

test.each(commands)('%s --help explains it and does nothing', async (name) => {
  const { code, output } = await finish(name, ['--help']);
  expect(output).toMatch(/^Usage: \S/);
  expect(output).toMatch(/-h, --help/);
  expect(code).toBe(0);
});

// What npm test does not know is for vitest.
test.each(commands.filter((name) => name !== 'test'))(
  '%s refuses an option that it does not have',
  async (name) => {
    const { code, output } = await finish(name, ['--no-such-option']);
    expect(output).toMatch(/unknown option '--no-such-option'/);
    expect(code).not.toBe(0);
  },
);

describe('a database', () => {
  let empty: TestDatabase;
  let db: TestDatabase;

  beforeAll(async () => {
    empty = await createEmptyDatabase();
    db = await createTestDatabase();
    await db.pool.query("insert into app_public.account (display_name) values ('Ada')");
  });
  afterAll(async () => {
    await empty?.drop();
    await db?.drop();
  });

  const JWT_SECRET = 'a secret that has more than thirty-two bytes';

  test.each([
    ['serve', [], /OP014: The database is not migrated: there is no schema app_public/],
    ['worker', [], /MR057: .*\n.*\n {2}hint: npm run migrate -- up/],
    ['status', [], /MR057: /],
    ['reconcile', [], /MR057: /],
    ['demo-data', [], /hint: Is the database migrated\? npm run migrate/],
    ['analyze', ['1'], /hint: Is the database migrated\? npm run migrate/],
  ])('that is not migrated: %s says so', async (name, args, message) => {
    const env = { DATABASE_URL: empty.connectionString, JWT_SECRET, PORT: '0' };
    const { code, output } = await finish(name, args, env);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/\n\s+at /);
    expect(code).toBe(1);
  });

  test('serves on when nobody reads what it prints, until its terminal is closed', async () => {
    const port = await getPort();
    const script = runScript('start', {
      DATABASE_URL: db.connectionString,
      JWT_SECRET,
      PORT: String(port),
    });
    script.child.stdout?.destroy();
    try {
      // The token for account 1 is printed after it listens.
      const isServing = () =>
        fetch(`http://127.0.0.1:${port}/readyz?strict`).then(
          ({ status }) => status === 200,
          () => false,
        );
      await until(isServing, (serving) => serving, 60_000);
      script.child.kill('SIGHUP');
      expect(await script.ended).toBe(0);
    } finally {
      script.child.kill('SIGKILL');
    }
  });
});
