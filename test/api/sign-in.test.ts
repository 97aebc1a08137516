import type { webcrypto } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { issueToken } from '../../scripts/lib/jwt.ts';
import { type ApiServer, startServer } from '../../scripts/lib/server.ts';
import { addressOfKey, isSignedBy, signInMessage } from '../../scripts/lib/sign-in.ts';
import { type Answer, startTestApi, type TestApi } from './test-api.ts';

/* Signing in as a client does it: over HTTP, with keys of the client's own. */

let api: TestApi;
/** Another host of the same database. */
let other: ApiServer;

beforeAll(async () => {
  api = await startTestApi({ poolSize: 4 });
  other = await startServer({
    connectionString: api.db.apiConnectionString,
    key: api.key,
    host: '127.0.0.1',
    port: 0,
    development: false,
    poolSize: 2,
  });
});

afterAll(async () => {
  await other?.stop();
  await api?.stop();
});

interface Signer {
  address: string;
  sign(message: string): Promise<string>;
}

async function makeSigner(): Promise<Signer> {
  const { publicKey, privateKey } = (await crypto.subtle.generateKey('Ed25519', true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  return {
    address: addressOfKey(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))),
    async sign(message) {
      const signature = await crypto.subtle.sign(
        'Ed25519',
        privateKey,
        new TextEncoder().encode(message),
      );
      return Buffer.from(signature).toString('base64url');
    },
  };
}

const CHALLENGE = `mutation ($address: String!) {
  requestNonce(input: { address: $address }) { result { nonce message expiresAt } }
}`;
const SIGN_IN = `mutation ($input: SignInInput!) {
  signIn(input: $input) { token expiresAt accountId sessionId isNew clientMutationId }
}`;
const WHO = '{ currentAccount { id isGuest } }';

async function challenge(address: string): Promise<{ nonce: string; message: string }> {
  const answer = await api.query(CHALLENGE, { variables: { address } });
  expect(answer.errors).toBeUndefined();
  return answer.data.requestNonce.result;
}

const send = (input: Record<string, unknown>, authorization?: string) =>
  api.query(SIGN_IN, { variables: { input }, authorization });

interface Token {
  token: string;
  accountId: string;
  sessionId: string;
  expiresAt: string;
  isNew: boolean;
}

async function signIn(signer: Signer, authorization?: string): Promise<Token> {
  const { nonce, message } = await challenge(signer.address);
  const signature = await signer.sign(message);
  const answer = await send({ address: signer.address, nonce, signature }, authorization);
  expect(answer.errors).toBeUndefined();
  return answer.data.signIn;
}

const bearer = ({ token }: { token: string }) => `Bearer ${token}`;
const codeOf = (answer: Answer) => answer.errors?.[0]?.extensions?.code;

describe('signing in', () => {
  let signer: Signer;

  beforeEach(async () => {
    signer = await makeSigner();
  });

  test('gives a token of the account, the same the next time', async () => {
    const first = await signIn(signer);
    expect(first.isNew).toBe(true);
    const { data } = await api.query(WHO, { authorization: bearer(first) });
    expect(data.currentAccount).toEqual({ id: first.accountId, isGuest: false });
    const second = await signIn(signer);
    expect(second).toMatchObject({ accountId: first.accountId, isNew: false });
    expect(second.sessionId).not.toBe(first.sessionId);
    const days = (Date.parse(second.expiresAt) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThan(30.1);
  });

  test('takes the signature in both spellings of base64', async () => {
    const { nonce, message } = await challenge(signer.address);
    const signature = Buffer.from(await signer.sign(message), 'base64url').toString('base64');
    const answer = await send({
      address: signer.address,
      nonce,
      signature,
      deviceName: 'Phone',
      clientMutationId: 'x',
    });
    expect(answer.errors).toBeUndefined();
    expect(answer.data.signIn.clientMutationId).toBe('x');
    const sessions = await api.query('{ mySessions { nodes { id deviceName isCurrent } } }', {
      authorization: bearer(answer.data.signIn),
    });
    expect(sessions.data.mySessions.nodes).toEqual([
      { id: answer.data.signIn.sessionId, deviceName: 'Phone', isCurrent: true },
    ]);
  });

  test('with a signature that does not fit is refused without touching the database', async () => {
    const stranger = await makeSigner();
    const { nonce, message } = await challenge(signer.address);
    const good = await signer.sign(message);
    const wrong: [string, Record<string, unknown>][] = [
      ['another key', { signature: await stranger.sign(message) }],
      ['another text', { signature: await signer.sign(`${message} `) }],
      ['the nonce alone', { signature: await signer.sign(nonce) }],
      ['another nonce', { nonce: 'f'.repeat(32), signature: good }],
      ['another address', { address: stranger.address, signature: good }],
      ['a changed byte', { signature: (good[0] === 'A' ? 'B' : 'A') + good.slice(1) }],
      ['nothing', { signature: '' }],
      ['too little', { signature: good.slice(2) }],
      ['too much', { signature: `${good}AA` }],
      ['no base64', { signature: '!'.repeat(86) }],
      ['no address', { address: 'did:key:z6Mk', signature: good }],
      ['an address too long', { address: `did:key:z${'z'.repeat(90_000)}`, signature: good }],
      ['a key of another kind', { address: `did:key:z6LS${'z'.repeat(44)}`, signature: good }],
      ['no point of the curve', { address: addressOfKey(new Uint8Array(32).fill(255)) }],
    ];
    api.proxy.reset();
    for (const [what, change] of wrong) {
      const answer = await send({ address: signer.address, nonce, signature: good, ...change });
      expect(codeOf(answer), what).toBe('AC013');
      expect(answer.data.signIn, what).toBeNull();
    }
    expect(api.proxy.counts().statements).toBe(0);
    // The challenge is still good for the one who can sign it.
    expect(
      (await send({ address: signer.address, nonce, signature: good })).errors,
    ).toBeUndefined();
    expect(codeOf(await send({ address: signer.address, nonce, signature: good }))).toBe('AC011');
  });

  test('signs the text that the database gives', async () => {
    const { nonce, message } = await challenge(signer.address);
    expect(signInMessage(signer.address, nonce)).toBe(message);
    expect(await isSignedBy(signer.address, message, await signer.sign(message))).toBe(true);
  });
});

describe('a signed-out device', () => {
  const SIGN_OUT = 'mutation { signOut(input: {}) { result { id endedAt } } }';

  test('is refused at once, by every host, in whatever it asks', async () => {
    const signer = await makeSigner();
    const [phone, laptop] = [await signIn(signer), await signIn(signer)];
    const ask = async (server: ApiServer, token: Token, query: string) => {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: bearer(token) },
        body: JSON.stringify({ query }),
      });
      const answer = { ...((await response.json()) as Answer), status: response.status };
      return { ...answer, challenge: response.headers.get('www-authenticate') };
    };
    expect((await ask(other, phone, WHO)).data.currentAccount.id).toBe(phone.accountId);
    const out = await api.query(SIGN_OUT, { authorization: bearer(phone) });
    expect(out.data.signOut.result).toMatchObject({ id: phone.sessionId });
    for (const server of [api.server, other]) {
      for (const query of [
        WHO,
        '{ __typename conversations { nodes { id } } }',
        'mutation { createConversation(input: { topic: "T" }) { result { id } } }',
        'mutation { refreshSession(input: {}) { token } }',
        SIGN_OUT,
      ]) {
        const answer = await ask(server, phone, query);
        expect(codeOf(answer), query).toBe('AC010');
        expect(answer, query).toMatchObject({ status: 401, challenge: 'Bearer' });
        expect(answer, query).not.toHaveProperty('data');
      }
      expect((await ask(server, laptop, WHO)).data.currentAccount.id).toBe(laptop.accountId);
    }
    const everywhere = await api.query('mutation { signOutEverywhere(input: {}) { result } }', {
      authorization: bearer(laptop),
    });
    expect(everywhere.data.signOutEverywhere.result).toBe('1');
    expect(codeOf(await ask(other, laptop, WHO))).toBe('AC010');
    // Who signs in again is in again.
    const again = await signIn(signer);
    expect((await ask(other, again, WHO)).data.currentAccount.id).toBe(phone.accountId);
  });

  test('is told what was done before it signed out in the same request', async () => {
    const token = await signIn(await makeSigner());
    const answer = await api.query(
      `mutation { signOut(input: {}) { result { id } }
        createConversation(input: { topic: "T" }) { result { id } } }`,
      { authorization: bearer(token) },
    );
    expect(answer).toMatchObject({
      status: 200,
      data: { signOut: { result: { id: token.sessionId } }, createConversation: null },
    });
    expect(codeOf(answer)).toBe('AC010');
  });

  test('says AC010 in a text of its own without being taken for signed out', async () => {
    const authorization = bearer(await signIn(await makeSigner()));
    const answer = await api.query(
      'mutation { setDisplayName(input: { displayName: "AC010" }) { result { displayName } } }',
      { authorization },
    );
    expect(answer).toMatchObject({
      status: 200,
      data: { setDisplayName: { result: { displayName: 'AC010' } } },
    });
  });

  test('has no identity left on the connection for who comes next', async () => {
    const signer = await makeSigner();
    const gone = await signIn(signer);
    await api.query(SIGN_OUT, { authorization: bearer(gone) });
    for (let time = 0; time < 8; time += 1) {
      expect(codeOf(await api.query(WHO, { authorization: bearer(gone) }))).toBe('AC010');
      expect((await api.query(WHO)).data.currentAccount).toBeNull();
    }
  });

  test('is asked for in the statement that puts its identity: no statement and no trip more', async () => {
    const authorization = bearer(await signIn(await makeSigner()));
    await api.query(WHO, { authorization });
    // Every connection of the pool has the statement, then.
    await Promise.all(Array.from({ length: 20 }, () => api.query(WHO, { authorization })));
    api.proxy.reset();
    await api.query(WHO, { authorization });
    const seen = api.proxy.counts();
    expect(seen).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
    expect(seen.texts[0]).toMatch(/^select set_config.*app_hidden\.enter_session/);
  });

  test('has its web socket closed', async () => {
    const token = await signIn(await makeSigner());
    await settleSessions();
    const closed = new Promise<{ code: number; reason: string }>((resolve) => {
      const client = createClient({
        url: `${other.url.replace('http', 'ws')}/graphql`,
        connectionParams: { Authorization: bearer(token) },
        retryAttempts: 0,
        lazy: false,
        on: { closed: (event) => resolve(event as { code: number; reason: string }) },
        onNonLazyError: () => undefined,
      });
      client.subscribe(
        { query: 'subscription { feed { projectIds } }' },
        {
          // The first event comes at once: from now on there is somebody to sign out.
          next: () =>
            void api.query(SIGN_OUT, { authorization: bearer(token) }).then(settleSessions),
          error: () => undefined,
          complete: () => undefined,
        },
      );
    });
    expect(await closed).toMatchObject({ code: 4403, reason: 'Signed out' });
  });
});

/** What the ticker and the worker do. */
async function settleSessions(): Promise<void> {
  await api.db.pool.query('select millrace.drain()');
  await api.db.pool.query("select millrace.run_now('app_private.live_session')");
}

describe('a session', () => {
  test('is extended by a new token', async () => {
    const first = await signIn(await makeSigner());
    await api.db.pool.query(
      "update app_public.session set expires_at = now() + interval '1 day' where id = $1",
      [first.sessionId],
    );
    const { data } = await api.query(
      'mutation { refreshSession(input: {}) { token accountId sessionId expiresAt isNew } }',
      { authorization: bearer(first) },
    );
    expect(data.refreshSession).toMatchObject({
      accountId: first.accountId,
      sessionId: first.sessionId,
      isNew: false,
    });
    expect(Date.parse(data.refreshSession.expiresAt)).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    const who = await api.query(WHO, { authorization: bearer(data.refreshSession) });
    expect(who.data.currentAccount.id).toBe(first.accountId);
  });

  test('is none of a visitor or of a token made without one', async () => {
    const text = 'mutation { refreshSession(input: {}) { token } }';
    expect(codeOf(await api.query(text))).toBe('AC001');
    const authorization = await api.as(await api.account());
    expect(codeOf(await api.query(text, { authorization }))).toBe('AC015');
  });

  test.for(['0', '-1', '1.5', '1 or 1=1', '', '99999999999999999999'])(
    'named "%s" in a token is no session',
    async (sessionId) => {
      const accountId = await api.account();
      const claims = { accountId, role: 'account', lifetime: 60, sessionId } as const;
      const authorization = `Bearer ${await issueToken(api.key, claims)}`;
      const answer = await api.query(WHO, { authorization });
      expect(answer.status).toBe(401);
      expect(codeOf(answer)).toBe('UNAUTHENTICATED');
    },
  );

  test('that never was lets nobody in', async () => {
    const accountId = await api.account();
    const claims = { accountId, role: 'account', lifetime: 60, sessionId: '987654321' } as const;
    const authorization = `Bearer ${await issueToken(api.key, claims)}`;
    expect(codeOf(await api.query(WHO, { authorization }))).toBe('AC010');
  });
});

describe('a guest', () => {
  async function guest(): Promise<Token> {
    const response = await fetch(`${api.server.url}/auth/guest`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    return (await response.json()) as Token;
  }

  async function opinionBy(authorization: string): Promise<string> {
    const made = await api.query(
      'mutation { createConversation(input: { topic: "T" }) { result { id } } }',
      { authorization },
    );
    const { id } = made.data.createConversation.result;
    const spoken = await api.query(
      `mutation { createOpinion(input: { conversationId: ${id}, content: "O" }) { result { id } } }`,
      { authorization },
    );
    return spoken.data.createOpinion.result.id;
  }

  const cast = async (authorization: string, opinion: string, choice: string) => {
    const answer = await api.query(
      `mutation { castVote(input: { opinionId: ${opinion}, choice: ${choice} }) {
        result { choice } } }`,
      { authorization },
    );
    expect(answer.errors).toBeUndefined();
  };
  const look = async (authorization: string, opinion: string) =>
    (
      await api.query(
        `{ opinion(id: ${opinion}) { agreeCount disagreeCount myChoice
          conversation { voteCount participantCount } } }`,
        { authorization },
      )
    ).data.opinion;

  test('who signs in keeps their votes, in a new account and in an old one', async () => {
    const author = await api.as(await api.account());
    const opinion = await opinionBy(author);
    const signer = await makeSigner();

    const first = await guest();
    await cast(bearer(first), opinion, 'disagree');
    const account = await signIn(signer, bearer(first));
    expect(account).toMatchObject({ accountId: first.accountId, isNew: true });
    expect((await look(bearer(account), opinion)).myChoice).toBe('disagree');
    // The guest's device is signed out: its token is the account's now, under another session.
    expect(codeOf(await api.query(WHO, { authorization: bearer(first) }))).toBe('AC010');

    const elsewhere = await opinionBy(author);
    const second = await guest();
    await cast(bearer(second), opinion, 'agree');
    await cast(bearer(second), elsewhere, 'agree');
    const again = await signIn(signer, bearer(second));
    expect(again).toMatchObject({ accountId: account.accountId, isNew: false });
    // The account's own vote stands, the guest's counts where it had none.
    expect(await look(bearer(again), opinion)).toEqual({
      agreeCount: '1',
      disagreeCount: '1',
      myChoice: 'disagree',
      conversation: { voteCount: '2', participantCount: '2' },
    });
    expect(await look(bearer(again), elsewhere)).toMatchObject({
      agreeCount: '2',
      myChoice: 'agree',
      conversation: { participantCount: '2' },
    });
  });

  test('can be signed out too', async () => {
    const one = await guest();
    await api.query('mutation { signOut(input: {}) { result { id } } }', {
      authorization: bearer(one),
    });
    expect(codeOf(await api.query(WHO, { authorization: bearer(one) }))).toBe('AC010');
  });
});
