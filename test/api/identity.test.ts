import { SignJWT, UnsecuredJWT } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endApiPools, makeApiPools, makeWithPgClient } from '../../scripts/lib/pg-service.ts';
import { startTestApi, type TestApi } from './test-api.ts';

const WHO = '{ currentAccount { id } }';

let api: TestApi;
/** Sees and ends the API's connections. */
let admin: pg.Client;
let one: string;
let two: string;

beforeAll(async () => {
  api = await startTestApi({
    prepare: (db) =>
      db.pool.query(`
        create function app_public.who_am_i() returns text language sql stable
          as $$ select current_user || ':' || coalesce(current_setting('app.account_id', true), '') $$;
        create function app_public.fail_with(sql_state text) returns text language plpgsql stable
          as $$ begin raise exception 'planted' using errcode = fail_with.sql_state; end $$;
        create function app_public.write_in_secret() returns text language plpgsql stable
          as $$ begin delete from app_public.opinion_vote; return 'done'; end $$;
        create function app_public.nap() returns text language sql stable
          as $$ select pg_sleep(0.1)::text $$;
        create function app_public.become(role_name text) returns text language plpgsql volatile
          as $$ begin execute format('set local role %I', role_name); return current_user; end $$;
        grant execute on function app_public.who_am_i(), app_public.fail_with(text),
          app_public.write_in_secret(), app_public.nap(), app_public.become(text)
          to app_anonymous, app_account, app_moderator;
      `),
  });
  one = await api.account('One');
  two = await api.account('Two');
  admin = new pg.Client({ connectionString: api.db.connectionString });
  await admin.connect();
});

afterAll(async () => {
  await admin.end();
  await api.stop();
});

const whoAmI = async (authorization?: string) =>
  (await api.query('{ whoAmI }', { authorization })).data.whoAmI;

describe('tokens', () => {
  test('a token makes the request its account', async () => {
    const { data } = await api.query(WHO, { authorization: await api.as(one) });
    expect(data.currentAccount.id).toBe(one);
    expect(await whoAmI(await api.as(two, 'moderator'))).toBe(`app_moderator:${two}`);
  });

  test('no token is a visitor', async () => {
    expect((await api.query(WHO)).data.currentAccount).toBeNull();
    expect(await whoAmI()).toBe('app_anonymous:');
  });

  const claims = { role: 'account' };
  const sign = (
    edit: (jwt: SignJWT) => SignJWT,
    key?: Uint8Array,
    payload: object = claims,
    alg = 'HS256',
  ) =>
    edit(
      new SignJWT({ ...payload })
        .setProtectedHeader({ alg })
        .setIssuer('millrace')
        .setAudience('millrace-api')
        .setSubject('1')
        .setIssuedAt()
        .setExpirationTime('10 minutes'),
    ).sign(key ?? api.key);
  const same = (jwt: SignJWT) => jwt;

  test.for<[string, () => Promise<string> | string]>([
    ['unsigned', () => new UnsecuredJWT(claims).setSubject('1').encode()],
    ['signed with another key', () => sign(same, new TextEncoder().encode('x'.repeat(40)))],
    ['with another algorithm', () => sign(same, undefined, claims, 'HS512')],
    ['expired', () => sign((jwt) => jwt.setExpirationTime('10 minutes ago'))],
    [
      'without an end',
      () =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuer('millrace')
          .setAudience('millrace-api')
          .setSubject('1')
          .sign(api.key),
    ],
    ['not valid yet', () => sign((jwt) => jwt.setNotBefore('10 minutes'))],
    ['of another issuer', () => sign((jwt) => jwt.setIssuer('somebody'))],
    ['for another audience', () => sign((jwt) => jwt.setAudience('operator'))],
    ['with a role of the database', () => sign(same, undefined, { role: 'postgres' })],
    ['with an inherited property as role', () => sign(same, undefined, { role: 'constructor' })],
    ['with a list of roles', () => sign(same, undefined, { role: ['account'] })],
    ['without a role', () => sign(same, undefined, {})],
    ['without an account', () => sign((jwt) => jwt.setSubject(''))],
    ['with SQL for an account', () => sign((jwt) => jwt.setSubject('1; drop table x'))],
    ['too long', () => sign(same, undefined, { role: 'account', filler: 'x'.repeat(10_000) })],
    ['that is none', () => 'rubbish'],
  ])('a token %s is refused', async ([, make]) => {
    api.proxy.reset();
    const answer = await api.query('{ whoAmI }', { authorization: `Bearer ${await make()}` });
    expect(answer.status).toBe(401);
    expect(answer.data).toBeUndefined();
    expect(answer.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
    expect(api.proxy.counts().statements).toBe(0);
  });

  test.for(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer a b', ''])(
    'the header "%s" is refused',
    async (authorization) => {
      const answer = await api.query('{ whoAmI }', { authorization });
      expect(answer.status).toBe(401);
    },
  );

  test('POST /auth/guest makes an account and a token for it', async () => {
    const response = await fetch(`${api.server.url}/auth/guest`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    const guest = (await response.json()) as { accountId: string; token: string };
    const { data } = await api.query('{ currentAccount { id isGuest } }', {
      authorization: `Bearer ${guest.token}`,
    });
    expect(data.currentAccount).toEqual({ id: guest.accountId, isGuest: true });
  });

  test('POST /auth/guest refuses what a form of another site can send', async () => {
    const response = await fetch(`${api.server.url}/auth/guest`, { method: 'POST', body: 'x' });
    expect(response.status).toBe(415);
    expect((await fetch(`${api.server.url}/auth/guest`)).status).toBe(405);
  });
});

describe('one connection, many identities', () => {
  /** What a request may do before the next one gets the connection. */
  const disturbances: [string, (authorization?: string) => Promise<unknown>][] = [
    ['nothing', async () => undefined],
    [
      'an error of the application',
      (a) => api.query('{ failWith(sqlState: "DL003") }', { authorization: a }),
    ],
    [
      'an error of Postgres',
      (a) => api.query('{ failWith(sqlState: "22012") }', { authorization: a }),
    ],
    [
      'a cancelled statement',
      (a) => api.query('{ failWith(sqlState: "57014") }', { authorization: a }),
    ],
    ['a refused write', (a) => api.query('{ writeInSecret }', { authorization: a })],
    [
      'an error beside a read',
      (a) => api.query('{ a: whoAmI b: failWith(sqlState: "XX000") }', { authorization: a }),
    ],
    [
      'a refused mutation',
      (a) =>
        api.query(
          'mutation { castVote(input: { opinionId: 0, choice: agree }) { result { choice } } }',
          { authorization: a },
        ),
    ],
    [
      'another role in a function',
      (a) =>
        api.query('mutation { become(input: { roleName: "app_account" }) { result } }', {
          authorization: a,
        }),
    ],
    [
      'a client that hangs up',
      async (authorization) => {
        const aborter = new AbortController();
        const request = fetch(`${api.server.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
          body: JSON.stringify({ query: '{ nap }' }),
          signal: aborter.signal,
        }).catch(() => 'aborted');
        for (;;) {
          const { rowCount } = await admin.query(`
            select from pg_stat_activity
            where usename = 'app_authenticator' and state = 'active' and wait_event = 'PgSleep'
          `);
          if (rowCount) break;
        }
        aborter.abort();
        expect(await request).toBe('aborted');
      },
    ],
    [
      'a killed backend',
      () =>
        admin.query(`
          select pg_terminate_backend(pid) from pg_stat_activity
          where usename = 'app_authenticator' and datname = current_database()
        `),
    ],
  ];

  test.for(disturbances)('after %s nobody is somebody else', async ([, disturb]) => {
    const people: [string | undefined, string][] = [
      [await api.as(one), `app_account:${one}`],
      [undefined, 'app_anonymous:'],
      [await api.as(two, 'moderator'), `app_moderator:${two}`],
      [await api.as(two), `app_account:${two}`],
    ];
    for (const [before] of people) {
      for (const [authorization, expected] of people) {
        await disturb(before);
        let seen = await whoAmI(authorization).catch(() => null);
        // A request that meets a connection killed under it fails, and says nothing.
        if (seen === null) seen = await whoAmI(authorization);
        expect(seen).toBe(expected);
      }
    }
  });

  test('an error fails its own field only', async () => {
    const answer = await api.query('{ a: whoAmI b: failWith(sqlState: "DL003") c: whoAmI }');
    expect(answer.data).toEqual({ a: 'app_anonymous:', b: null, c: 'app_anonymous:' });
    expect(answer.errors).toHaveLength(1);
  });

  test('requests at the same time do not mix', async () => {
    const tokens = [
      await api.as(one),
      undefined,
      await api.as(two),
      await api.as(one, 'moderator'),
    ];
    const expected = [
      `app_account:${one}`,
      'app_anonymous:',
      `app_account:${two}`,
      `app_moderator:${one}`,
    ];
    const seen = await Promise.all(
      Array.from({ length: 200 }, (_, index) => whoAmI(tokens[index % tokens.length])),
    );
    expect(seen).toEqual(seen.map((_, index) => expected[index % expected.length]));
  });

  test('a cancelled request leaves a connection that is nobody', async () => {
    const pools = makeApiPools({ connectionString: api.db.apiConnectionString, poolSize: 1 });
    const withPgClient = makeWithPgClient(pools);
    const slow = withPgClient({ role: 'app_account', 'app.account_id': one }, (client) =>
      client.query({ text: 'select pg_sleep(60)' }),
    ).then(
      () => 'finished',
      (error: { code: string }) => error.code,
    );
    for (;;) {
      const { rowCount } = await admin.query(`
        select pg_cancel_backend(pid) from pg_stat_activity
        where query = 'select pg_sleep(60)' and state = 'active'
          and datname = current_database()
      `);
      if (rowCount) break;
    }
    expect(await slow).toBe('57014');
    const { rows } = await withPgClient(null, (client) =>
      client.query({
        text: "select current_user::text, current_setting('app.account_id', true) as account",
      }),
    );
    expect(rows).toEqual([{ current_user: 'app_authenticator', account: '' }]);
    await endApiPools(pools);
  });

  test('between requests the login has no rights', async () => {
    const pools = makeApiPools({ connectionString: api.db.apiConnectionString, poolSize: 1 });
    const withPgClient = makeWithPgClient(pools);
    await withPgClient({ role: 'app_account', 'app.account_id': one }, (client) =>
      client.query({ text: 'select id from app_public.account' }),
    );
    await expect(
      withPgClient(null, (client) => client.query({ text: 'select id from app_public.account' })),
    ).rejects.toMatchObject({ code: '42501' });
    await endApiPools(pools);
  });

  test('options of the connection string neither replace the identity nor are lost', async () => {
    const url = new URL(api.db.apiConnectionString);
    url.searchParams.set('options', '-c app.own=kept -c role=app_moderator');
    const pools = makeApiPools({ connectionString: url.href, poolSize: 1 });
    const withPgClient = makeWithPgClient(pools);
    const { rows } = await withPgClient(
      { role: 'app_anonymous', transaction_read_only: 'on' },
      (client) =>
        client.query({
          text: `select current_user::text, current_setting('app.own') as own,
            current_setting('transaction_read_only') as read_only`,
        }),
    );
    expect(rows).toEqual([{ current_user: 'app_anonymous', own: 'kept', read_only: 'on' }]);
    await endApiPools(pools);
  });

  test('settings that fail keep their query from running', async () => {
    const pools = makeApiPools({ connectionString: api.db.apiConnectionString, poolSize: 1 });
    const withPgClient = makeWithPgClient(pools);
    await withPgClient(null, (client) => client.query({ text: 'select 1' }));
    await expect(
      withPgClient({ role: 'app_owner' }, (client) =>
        client.query({ text: "select set_config('app.ran', 'yes', false)" }),
      ),
    ).rejects.toMatchObject({ code: '42501' });
    const { rows } = await withPgClient(null, (client) =>
      client.query({ text: "select current_setting('app.ran', true) as ran" }),
    );
    expect(rows).toEqual([{ ran: null }]);
    await endApiPools(pools);
  });

  test('a transaction keeps its identity and ends with it', async () => {
    const pools = makeApiPools({ connectionString: api.db.apiConnectionString, poolSize: 1 });
    const withPgClient = makeWithPgClient(pools);
    const text = 'select current_user::text';
    const inside = await withPgClient({ role: 'app_account', 'app.account_id': one }, (client) =>
      client.withTransaction(async (transaction) => [
        (await transaction.query({ text })).rows,
        (await transaction.query({ text })).rows,
      ]),
    );
    expect(inside).toEqual([[{ current_user: 'app_account' }], [{ current_user: 'app_account' }]]);
    await expect(
      withPgClient({ role: 'app_account' }, (client) =>
        client.withTransaction((transaction) => transaction.query({ text: 'select 1 / 0' })),
      ),
    ).rejects.toMatchObject({ code: '22012' });
    const after = await withPgClient(null, (client) => client.query({ text }));
    expect(after.rows).toEqual([{ current_user: 'app_authenticator' }]);
    await endApiPools(pools);
  });

  test('a query cannot write, whoever sends it', async () => {
    for (const authorization of [undefined, await api.as(one)]) {
      const answer = await api.query('{ writeInSecret }', { authorization });
      expect(answer.data.writeInSecret).toBeNull();
      expect(['READ_ONLY', 'FORBIDDEN', 'INTERNAL']).toContain(
        answer.errors?.[0]?.extensions?.code,
      );
    }
  });
});
