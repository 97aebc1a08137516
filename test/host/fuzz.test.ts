import { randomBytes } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../api/test-api.ts';

/*
 * 10,000 requests that nobody means well: malformed, oversized, deep, aliased; with tokens of no
 * algorithm, another key, another algorithm, expired, for another audience. Whatever is sent: no
 * status of 500 and above, nothing of anybody else, no message of Postgres or of the program, and a
 * server that is the same afterwards. The seed is fixed; FUZZ_SEED tries another.
 */

const BATCH = 8;
const BATCHES = 1_250;
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_122);
/** What the heap may grow by after the first third, in bytes: a leak of 5 kB a request is more. */
const GROWTH_MAX = 30_000_000;

/** Texts that their owners alone may see. */
const CANARY = 'canary-5e1f0b';
/** What no client may read: the words of Postgres, of Node, of places. */
const LEAK =
  /canary-5e1f0b|node_modules|\.[jt]s:\d+|violates|permission denied|at or near|ECONN|EPIPE|password|TypeError|RangeError|ReferenceError|invalid input syntax|current transaction is aborted/;

let api: TestApi;
let owner: string;
let stranger: string;
let tokens: Record<string, string>;

beforeAll(async () => {
  api = await startTestApi({ poolSize: 4, development: false, server: { cacheMegabytes: 4 } });
  owner = await api.account('Owner');
  stranger = await api.account('Stranger');
  const friend = await api.account('Friend');
  const authorization = await api.as(owner);
  const started = await api.query(
    `mutation ($ids: [BigInt!]!) {
      startConversation(input: { accountIds: $ids }) { result { id } }
    }`,
    { authorization, variables: { ids: [friend] } },
  );
  const sent = await api.query(
    `mutation ($id: BigInt!, $text: String!) {
      sendMessage(input: { conversationId: $id, content: $text }) { result { id } }
    }`,
    {
      authorization,
      variables: { id: started.data.startConversation.result.id, text: CANARY },
    },
  );
  expect(sent.errors).toBeUndefined();
  await api.query(`mutation { createConversation(input: { topic: "Cities" }) { result { id } } }`, {
    authorization,
  });
  tokens = await makeTokens();
});

afterAll(() => api.stop());

/** The claims of a token that would be right for the owner, and what makes each of them wrong. */
async function makeTokens(): Promise<Record<string, string>> {
  const claims = { role: 'account' };
  const base = (alg = 'HS256', role = claims.role) =>
    new SignJWT({ role })
      .setProtectedHeader({ alg, typ: 'JWT' })
      .setIssuer('millrace')
      .setAudience('millrace-api')
      .setSubject(owner)
      .setIssuedAt()
      .setExpirationTime('10 minutes');
  const good = await base().sign(api.key);
  const [header, payload, signature] = good.split('.') as [string, string, string];
  const json = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    none: new UnsecuredJWT(claims)
      .setIssuer('millrace')
      .setAudience('millrace-api')
      .setSubject(owner)
      .setExpirationTime('10 minutes')
      .encode(),
    noneWithSignature: `${json({ alg: 'none' })}.${payload}.${signature}`,
    wrongKey: await base().sign(randomBytes(32)),
    wrongAlgorithm: await base('HS512').sign(randomBytes(64)),
    sameKeyWrongAlgorithm: await base('HS384').sign(Buffer.concat([api.key, api.key])),
    claimsRs256: `${json({ alg: 'RS256', typ: 'JWT' })}.${payload}.${signature}`,
    embeddedKey: `${json({ alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } })}.${payload}.${signature}`,
    keyByUrl: `${json({ alg: 'HS256', jku: 'http://127.0.0.1:1/keys' })}.${payload}.${signature}`,
    expired: await base().setExpirationTime('-1 minute').sign(api.key),
    notYet: await base().setNotBefore('5 minutes').sign(api.key),
    noExpiry: await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('millrace')
      .setAudience('millrace-api')
      .setSubject(owner)
      .sign(api.key),
    foreignAudience: await base().setAudience('another-api').sign(api.key),
    foreignIssuer: await base().setIssuer('another').sign(api.key),
    otherRole: await base('HS256', 'app_owner').sign(api.key),
    prototypeRole: await base('HS256', '__proto__').sign(api.key),
    subjectSql: await base().setSubject("1' or true --").sign(api.key),
    changedPayload: `${header}.${json({ ...claims, sub: owner, exp: 4e9 })}.${signature}`,
    cutSignature: `${header}.${payload}.${signature.slice(0, -4)}`,
    noSignature: `${header}.${payload}.`,
    huge: `${header}.${payload}.${'A'.repeat(6_000)}`,
  };
}

interface Hostile {
  body: string | Buffer;
  headers: Record<string, string>;
  /** A key of `tokens`; null: none; undefined: a good one of a stranger. */
  token: string | null | undefined;
}

/* ---- what is sent ---- */

const FIELDS = [
  ...['id', 'nodeId', 'topic', 'description', 'voteCount', 'displayName', 'content', 'title'],
  ...['owner', 'author', 'conversation', 'opinions', 'newOpinions', 'nodes', 'edges', 'node'],
  ...['conversations', 'ownedConversations', 'pageInfo', 'cursor', 'newestProjects', 'project'],
  ...['currentAccount', 'account', 'myDirectConversations', 'directMessage', 'messages', 'search'],
  ...['introRequests', 'profile', '__typename', '__schema', '__type', 'query', 'projects', 'nope'],
];
const MUTATIONS = [
  ...['castVote', 'createConversation', 'createOpinion', 'sendMessage', 'deleteMessage'],
  ...['setDisplayName', 'deleteOpinion', 'lockConversation', 'moderateOpinion', 'editMessage'],
  ...['startConversation', 'blockAccount', 'suspendAccount', 'createProject', 'markRead'],
];
const ARGS = ['id', 'first', 'last', 'after', 'filter', 'orderBy', 'input', 'query', 'nodeId', 'x'];

const hostileText = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    "' or 1=1 --",
    "'; drop table app_public.account; --",
    '$1',
    '%s%s%n',
    '\u0000',
    '\ud800',
    '../../../etc/hosts',
    '<script>alert(1)</script>',
    '{{7*7}}',
    '9'.repeat(400),
    'é'.repeat(2_000),
    '[]',
    '{"__proto__":{"x":1}}',
  ),
);
const literal: fc.Arbitrary<string> = fc.oneof(
  hostileText.map((text) => JSON.stringify(text)),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.double().map(String),
  fc.constantFrom(
    'null',
    'true',
    'agree',
    '-1',
    '101',
    '2147483648',
    '[]',
    '{}',
    '$v',
    '[[[[1]]]]',
  ),
  fc.constantFrom(
    '{topic:{equalTo:"x"}}',
    '{id:{in:[1,2,3]}}',
    '[ID_DESC,ID_DESC]',
    '{a:{b:{c:1}}}',
  ),
);
const args = fc
  .array(fc.tuple(fc.constantFrom(...ARGS), literal), { maxLength: 3 })
  .map((list) => (list.length === 0 ? '' : `(${list.map(([n, v]) => `${n}:${v}`).join(',')})`));

const selection: fc.Memo<string> = fc.memo((depth) => {
  const field = fc
    .tuple(
      fc.option(fc.constantFrom('a', 'b', '_'), { freq: 6 }),
      fc.constantFrom(...FIELDS),
      fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: args }),
      fc.constantFrom('', '', '', '', '@include(if:$v)', '@skip(if:true)', '@nope'),
      depth <= 1 ? fc.constant('') : fc.oneof(fc.constant(''), selection()),
    )
    .map(([alias, name, given, directive, inner]) => {
      const label = alias === null ? '' : `${alias}:`;
      return `${label}${name}${given}${directive} ${inner}`;
    });
  return fc.array(field, { minLength: 1, maxLength: 4 }).map((list) => `{${list.join(' ')}}`);
});

/** Documents that begin well: what is right in them is planned and run. */
const plausible = fc
  .tuple(
    fc.constantFrom('conversations', 'newestProjects', 'currentAccount', 'myDirectConversations'),
    fc.constantFrom(
      '{nodes{id}}',
      '{nodes{topic owner{displayName}}}',
      '{nodes{projectId title}}',
      '{id displayName}',
      '{nodes{conversationId lastContent}}',
      '{edges{cursor node{id}} pageInfo{endCursor}}',
    ),
    fc.oneof(fc.constant(''), args),
  )
  .map(([root, inner, given]) => `{${root}${given}${inner}}`);

const nested = fc
  .tuple(fc.constantFrom('a{', 'owner{', '... on Query{', 'nodes{', '[', '{'), fc.nat(4_000))
  .map(([part, depth]) => `{${part.repeat(depth)}id${'}'.repeat(depth)}}`);
const aliased = fc
  .tuple(
    fc.constantFrom('conversation(id:1){id}', '__typename', 'conversations{nodes{id}}'),
    fc.nat(2_000),
  )
  .map(([part, n]) => `{${Array.from({ length: n }, (_, i) => `a${i}:${part}`).join(' ')}}`);
const fragments = fc.integer({ min: 1, max: 120 }).map((n) => {
  const links = Array.from(
    { length: n },
    (_, i) => `fragment f${i} on Query{...f${i + 1} ...f${i + 1}}`,
  );
  return `{...f0} ${links.join(' ')} fragment f${n} on Query{__typename ...f0}`;
});
const directives = fc.nat(3_000).map((n) => `{__typename ${'@include(if:true)'.repeat(n)}}`);
const mutation = fc
  .tuple(fc.constantFrom(...MUTATIONS), args, selection(2))
  .map(([name, given, inner]) => `mutation{${name}${given}${inner}}`);
const subscription = fc.constant('subscription{conversation(id:1){conversation{id}}}');

const document = fc.oneof(
  { weight: 6, arbitrary: selection(4) },
  { weight: 6, arbitrary: plausible },
  { weight: 1, arbitrary: nested },
  { weight: 1, arbitrary: aliased },
  { weight: 1, arbitrary: fragments },
  { weight: 1, arbitrary: directives },
  { weight: 4, arbitrary: mutation },
  { weight: 1, arbitrary: subscription },
  { weight: 1, arbitrary: hostileText },
);

const variables = fc.oneof(
  fc.constant(undefined),
  fc.object({ maxDepth: 2, maxKeys: 4 }),
  fc.constantFrom(null, 7, 'text', [1], { v: [] }, { v: { v: { v: 1 } } }, { __proto__: null }),
);
const graphql = fc
  .record({
    query: document,
    variables,
    operationName: fc.oneof(fc.constant(undefined), fc.constant(undefined), hostileText),
    extensions: fc.constantFrom(undefined, undefined, {}, [], {
      persistedQuery: { sha256Hash: 1 },
    }),
  })
  .map((body) => JSON.stringify(body));
const malformed = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(graphql, fc.nat(100)).map(([text, cut]) => text.slice(0, -cut || undefined)),
  fc.tuple(graphql, fc.nat(400), fc.nat(255)).map(([text, at, byte]) => {
    const bytes = Buffer.from(text);
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
  fc.nat(20_000).map((depth) => '['.repeat(depth)),
  fc
    .nat(5_000)
    .map(
      (depth) =>
        `{"query":"{__typename}","variables":${'{"v":'.repeat(depth)}1${'}'.repeat(depth)}}`,
    ),
  fc.constantFrom(
    '',
    'null',
    '[]',
    '{}',
    '{"query":null}',
    '{"query":{}}',
    '[{"query":"{__typename}"}]',
  ),
);
const oversized = fc
  .integer({ min: 1_000_001, max: 1_500_000 })
  .map((length) => `{"query":"{__typename}","variables":{"v":"${'x'.repeat(length)}"}}`);

const headers = fc.oneof(
  { weight: 12, arbitrary: fc.constant({ 'content-type': 'application/json' }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Record<string, string>>(
      {},
      { 'content-type': 'application/graphql' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-type': 'application/json; charset=utf-16' },
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      { 'content-type': 'application/json', accept: 'text/html' },
      { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      { 'content-type': 'application/json', accept: ';;;,q=x' },
      { 'content-type': 'application/json', 'x-forwarded-for': `${'1.1.1.1,'.repeat(500)}` },
      { 'content-type': 'application/json', 'if-none-match': '*' },
      { 'content-type': 'application/json', cookie: 'app.account_id=1; role=app_owner' },
    ),
  },
);

function hostile(names: string[]): fc.Arbitrary<Hostile> {
  return fc.record({
    body: fc.oneof(
      { weight: 60, arbitrary: graphql as fc.Arbitrary<string | Buffer> },
      { weight: 39, arbitrary: malformed },
      { weight: 1, arbitrary: oversized },
    ),
    headers,
    token: fc.oneof(
      { weight: 3, arbitrary: fc.constant(null) },
      { weight: 2, arbitrary: fc.constant(undefined) },
      { weight: 3, arbitrary: fc.constantFrom(...names) },
    ),
  });
}

/* ---- what comes back ---- */

const agent = new Agent({ keepAlive: true, maxSockets: BATCH });

interface Reply {
  status: number;
  text: string;
}

/** Null: the server has hung up before the end, as it may on what is too big. */
function send({ body, headers, token }: Hostile, strangersToken: string): Promise<Reply | null> {
  const bearer = token === undefined ? strangersToken : token === null ? null : tokens[token];
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${api.server.url}/graphql`,
      {
        method: 'POST',
        agent,
        headers: {
          ...headers,
          'content-length': Buffer.byteLength(body),
          ...(bearer && { authorization: `Bearer ${bearer}` }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isHangUp = ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
      if (isHangUp && Buffer.byteLength(body) > 1_000_000) resolve(null);
      else reject(error);
    });
    request.end(body);
  });
}

/** What is wrong with a reply; null: nothing. */
function fault({ token }: Hostile, reply: Reply | null): string | null {
  if (reply === null) return null;
  if (reply.status >= 500 || reply.status === 0) return `status ${reply.status}`;
  const leak = LEAK.exec(reply.text);
  if (leak !== null) return `leaks "${leak[0]}"`;
  if (typeof token === 'string') {
    if (reply.status < 400) return `accepts a token of kind ${token}`;
    if (/"data":\{/.test(reply.text)) return `answers a token of kind ${token}`;
  }
  if (/"code":"INTERNAL"/.test(reply.text)) return 'an error that nobody foresaw';
  return null;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** All that belongs to others, as one value. */
async function others(): Promise<string> {
  const { rows } = await api.db.pool.query<{ state: string }>(
    `select md5(jsonb_build_array(
      (select jsonb_agg(a order by a.id) from app_public.account a where a.id <> $1),
      (select jsonb_agg(m order by m.id) from app_public.direct_message m where m.sender_id <> $1),
      (select jsonb_agg(c order by c.id) from app_public.conversation c where c.owner_id <> $1),
      (select jsonb_agg(o order by o.id) from app_public.opinion o where o.author_id <> $1)
    )::text) as state`,
    [stranger],
  );
  return rows[0]!.state;
}

test('10,000 hostile requests change and tell nothing', { timeout: 240_000 }, async () => {
  const strangersToken = (await api.as(stranger)).slice('Bearer '.length);
  const before = await others();
  const statuses = new Map<number, number>();
  let batches = 0;
  let heapThen = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(hostile(Object.keys(tokens)), { minLength: BATCH, maxLength: BATCH }),
      async (batch) => {
        const replies = await Promise.all(batch.map((it) => send(it, strangersToken)));
        for (const [index, reply] of replies.entries()) {
          const status = reply?.status ?? 0;
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          const found = fault(batch[index]!, reply);
          if (found !== null) throw new Error(`${found}: ${reply?.text.slice(0, 2_000)}`);
        }
        batches += 1;
        if (batches === Math.floor(BATCHES / 3)) heapThen = heap();
      },
    ),
    { numRuns: BATCHES, seed: SEED, endOnFailure: process.env.FUZZ_SHRINK === undefined },
  );
  const growth = heap() - heapThen;
  expect([...statuses.values()].reduce((sum, n) => sum + n, 0)).toBe(BATCH * BATCHES);
  // The requests reach what they are meant for: some are answered, some refused, for each reason.
  for (const status of [200, 400, 401, 415])
    expect(statuses.get(status), `${status}`).toBeGreaterThan(100);
  expect(growth).toBeLessThan(GROWTH_MAX);
  expect(await others()).toBe(before);
  const answer = await api.query('{ conversations { nodes { topic } } }');
  expect(answer.data.conversations.nodes).toContainEqual({ topic: 'Cities' });
});

test('the check finds what it looks for', () => {
  const none: Hostile = { body: '', headers: {}, token: null };
  const reply = (status: number, text: string) => ({ status, text });
  expect(fault(none, reply(500, ''))).toMatch(/500/);
  expect(fault(none, reply(200, `{"data":{"content":"${CANARY}"}}`))).toMatch(/leaks/);
  expect(fault(none, reply(200, '{"errors":[{"message":"permission denied for table"}]}'))).toMatch(
    /leaks/,
  );
  expect(fault({ ...none, token: 'none' }, reply(200, '{"data":null}'))).toMatch(/accepts/);
  expect(fault({ ...none, token: 'none' }, reply(401, '{"data":{"x":1}}'))).toMatch(/answers/);
  expect(fault(none, reply(200, '{"errors":[{"extensions":{"code":"INTERNAL"}}]}'))).toMatch(
    /nobody foresaw/,
  );
  expect(fault(none, reply(200, '{"data":{"conversations":{"nodes":[]}}}'))).toBeNull();
});

test('what the stranger must not see is there, and its owner sees it', async () => {
  const text = '{ myDirectConversations { nodes { lastContent } } }';
  const mine = await api.query(text, { authorization: await api.as(owner) });
  expect(JSON.stringify(mine.data)).toContain(CANARY);
  const theirs = await api.query(text, { authorization: await api.as(stranger) });
  expect(theirs.data.myDirectConversations.nodes).toEqual([]);
});
