import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { postgresDir } from '../../scripts/lib/config.ts';
import { stopAbandoned } from '../../scripts/lib/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { runScript, type ScriptProcess } from './process.ts';

let directory: string;
const running: ScriptProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-start-'));
});

afterEach(async () => {
  for (const script of running.splice(0)) {
    script.child.kill('SIGKILL');
    await script.ended;
  }
});

afterAll(async () => {
  await stopAbandoned(postgresDir(join(directory, 'data')));
  await rm(directory, { recursive: true, force: true });
});

function run(name: string, env: Record<string, string> = {}): ScriptProcess {
  const script = runScript(name, env);
  running.push(script);
  return script;
}

const ask = async (url: string, query: string, authorization?: string) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: JSON.stringify({ query }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: what a test asked for is what it gets.
  return (await response.json()) as any;
};

describe('npm start', () => {
  const start = () =>
    run('start', {
      MILLRACE_DATA: join(directory, 'data'),
      MILLRACE_PG_PORT: '54529',
      PORT: '5788',
    });
  const urlOf = async (script: ScriptProcess) =>
    (await script.printed(/GraphQL {3}(\S+)/))[1] as string;

  test('from nothing to a live API; again, after Ctrl-C and after kill -9', async () => {
    const first = start();
    const url = await urlOf(first);
    await first.printed(/Ctrl-C/);
    expect(first.output()).toMatch(/Demo data: \d+ votes/);
    const [, header] = (await first.printed(/{"Authorization": "(Bearer \S+)"}/))!;
    const most = '{ conversations(first: 1, orderBy: VOTE_COUNT_DESC) { nodes { id voteCount } } }';
    const before = (await ask(url, most)).data.conversations.nodes[0];
    expect(Number(before.voteCount)).toBeGreaterThan(1_000);
    const made = await ask(
      url,
      'mutation { createConversation(input: { topic: "Mine" }) { result { id owner { id } } } }',
      header,
    );
    const mine = made.data.createConversation.result;
    expect(mine.owner.id).toBe('1');
    expect((await fetch(url.replace('/graphql', '/'))).status).toBe(200);
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
    expect(first.output()).not.toMatch(/"level":(40|50|60)/);

    const second = start();
    expect((await ask(await urlOf(second), most)).data.conversations.nodes[0]).toEqual(before);
    expect(second.output()).not.toMatch(/Demo data/);
    await second.printed(/Ctrl-C/);
    const [postmaster] = (
      await readFile(join(postgresDir(join(directory, 'data')), 'postmaster.pid'), 'utf8')
    ).split('\n');
    process.kill(Number(postmaster), 'SIGKILL');
    second.child.kill('SIGKILL');
    await second.ended;

    const third = start();
    const found = await ask(await urlOf(third), `{ conversation(id: ${mine.id}) { topic } }`);
    expect(found.data.conversation.topic).toBe('Mine');
    await third.printed(/Ctrl-C/);
    third.child.kill('SIGTERM');
    expect(await third.ended).toBe(0);
  }, 120_000);

  test('takes the next port when one is in use', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(5788, '127.0.0.1', resolve));
    try {
      const script = start();
      expect(await urlOf(script)).toBe('http://127.0.0.1:5789/graphql');
      expect(script.output()).toMatch(/Port 5788 is in use: taking 5789/);
      await script.printed(/Ctrl-C/);
      script.child.kill('SIGTERM');
      expect(await script.ended).toBe(0);
    } finally {
      blocker.close();
    }
  }, 60_000);
});

describe('npm run serve and npm run worker', () => {
  let db: TestDatabase;
  const secret = 'a secret that has more than thirty-two bytes';

  beforeAll(async () => {
    db = await createTestDatabase();
  });

  afterAll(() => db.drop());

  test('two of each share a database, and stop when told to', async () => {
    const env = { API_DATABASE_URL: db.apiConnectionString, JWT_SECRET: secret, PORT: '0' };
    const servers = [run('serve', env), run('serve', env)];
    const workers = [1, 2].map(() => run('worker', { DATABASE_URL: db.connectionString }));
    for (const server of servers) {
      const [, url] = await server.printed(/"url":"(\S+?)"/);
      expect((await ask(url!, '{ conversations { nodes { id } } }')).data).toEqual({
        conversations: { nodes: [] },
      });
    }
    for (const worker of workers) await worker.printed(/working/);
    for (const script of [...servers, ...workers]) {
      script.child.kill('SIGTERM');
      expect(await script.ended).toBe(0);
    }
  });

  test.for<[string, string, Record<string, string>, RegExp]>([
    ['a database', 'serve', { JWT_SECRET: secret }, /API_DATABASE_URL/],
    ['a secret', 'serve', { API_DATABASE_URL: 'postgres://x@127.0.0.1/x' }, /JWT_SECRET/],
    [
      'a long secret',
      'serve',
      { API_DATABASE_URL: 'postgres://x@127.0.0.1/x', JWT_SECRET: 'short' },
      /at least 32 bytes, not 5/,
    ],
    ['a real URL', 'worker', { DATABASE_URL: 'localhost' }, /DATABASE_URL must be a URL/],
    ['a database', 'worker', {}, /DATABASE_URL/],
    ['a real port', 'serve', { PORT: 'http' }, /PORT must be a port number/],
    [
      'a server that is there',
      'worker',
      { DATABASE_URL: 'postgres://x@127.0.0.1:1/x' },
      /ECONNREFUSED/,
    ],
    [
      'a server that is there',
      'start',
      { DATABASE_URL: 'postgres://x@127.0.0.1:1/x' },
      /ECONNREFUSED/,
    ],
  ])('without %s %s says so and fails', async ([, name, env, message]) => {
    const script = run(name, { MILLRACE_DATA: join(directory, 'unused'), ...env });
    expect(await script.ended).toBe(1);
    expect(script.output()).toMatch(message);
    // What a person can set right needs no stack.
    expect(script.output()).not.toMatch(/\n\s+at /);
  });

  test('a port in use is said to be', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const port = String((blocker.address() as AddressInfo).port);
    const script = run('serve', {
      API_DATABASE_URL: db.apiConnectionString,
      JWT_SECRET: secret,
      PORT: port,
    });
    expect(await script.ended).toBe(1);
    expect(script.output()).toMatch(`Cannot listen on 127.0.0.1:${port}: it is in use`);
    blocker.close();
  });

  test("start works on a server of one's own", async () => {
    const own = `${db.name}_own`;
    const admin = new pg.Client({ connectionString: inject('server') });
    await admin.connect();
    await admin.query(`create database ${own}`);
    const target = new URL(db.connectionString);
    target.pathname = `/${own}`;
    const script = run('start', {
      DATABASE_URL: target.href,
      MILLRACE_DATA: join(directory, 'own'),
      PORT: '0',
    });
    await script.printed(/Ctrl-C/);
    script.child.kill('SIGTERM');
    expect(await script.ended).toBe(0);
    await admin.query(`drop database ${own} with (force)`);
    await admin.end();
  }, 60_000);
});
