import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../host/until.ts';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({
    prepare: (db) =>
      db.pool.query(`
        create function app_public.fail_with(sql_state text) returns text language plpgsql stable as $$
        begin
          raise exception 'message %', fail_with.sql_state using
            errcode = fail_with.sql_state, detail = 'the detail', hint = 'the hint';
        end $$;
        create function app_public.sleep_long() returns text language sql stable
          as $$ select pg_sleep(60)::text $$;
        grant execute on function app_public.fail_with(text), app_public.sleep_long()
          to app_anonymous;
      `),
  });
});

afterAll(() => api.stop());

const failWith = async (sqlState: string) => {
  const answer = await api.query('query ($s: String!) { failWith(sqlState: $s) }', {
    variables: { s: sqlState },
  });
  expect(answer.status).toBe(200);
  expect(answer.data).toEqual({ failWith: null });
  return answer.errors![0]!;
};

describe('errors', () => {
  test.for(['DL003', 'AC001', 'MR012'])(
    '%s of the application reaches the client',
    async (code) => {
      expect(await failWith(code)).toMatchObject({
        message: `message ${code}`,
        path: ['failWith'],
        extensions: { code, detail: 'the detail', hint: 'the hint' },
      });
    },
  );

  test.for(['XX000', 'HV000', 'P0001', '23505', '42P01', '0A000', '53200'])(
    '%s is masked and logged under an id',
    async (code) => {
      const error = await failWith(code);
      expect(JSON.stringify(error)).not.toMatch(/the detail|the hint|message /);
      expect(error.extensions).toMatchObject({ code: 'INTERNAL' });
      expect(error.message).toContain(error.extensions?.errorId);
    },
  );

  test.for([
    ['42501', 'FORBIDDEN'],
    ['22012', 'BAD_INPUT'],
    ['40001', 'CONFLICT'],
    ['40P01', 'CONFLICT'],
    ['55P03', 'BUSY'],
    ['57014', 'TIMEOUT'],
    ['25006', 'READ_ONLY'],
  ] as const)('%s tells its kind and nothing else', async ([sqlState, code]) => {
    const error = await failWith(sqlState);
    expect(JSON.stringify(error)).not.toMatch(/the detail|the hint|message /);
    expect(error.extensions).toMatchObject({ code });
  });

  test('a statement is cut off at the timeout of the login', async () => {
    const answer = await api.query('{ sleepLong }');
    expect(answer.errors?.[0]?.extensions?.code).toBe('TIMEOUT');
  });

  test('a visitor who may not call a function is told so', async () => {
    await api.db.pool.query(
      'revoke execute on function app_public.sleep_long() from app_anonymous',
    );
    const answer = await api.query('{ sleepLong }');
    expect(answer.errors?.[0]?.extensions?.code).toBe('FORBIDDEN');
  });

  test('a number out of range is refused before it is sent', async () => {
    api.proxy.reset();
    for (const id of ['"99999999999999999999"', '-9223372036854775809']) {
      const answer = await api.query(`{ conversation(id: ${id}) { id } }`);
      expect(answer.errors?.[0]?.message).toBe(
        'BigInt takes numbers from -9223372036854775808 to 9223372036854775807',
      );
    }
    expect(api.proxy.counts().statements).toBe(0);
  });

  test.for([
    ['that is no GraphQL', '{ conversation(id: & }', 'BAD_REQUEST'],
    ['with a field that there is not', '{ conversation(id: 1) { colour } }', 'BAD_REQUEST'],
    ['with an argument of another type', '{ conversation(id: "one") { id } }', 'BAD_REQUEST'],
    ['with null where something must be', '{ conversation(id: null) { id } }', 'BAD_REQUEST'],
    ['with a cursor of nowhere', '{ conversations(after: "x") { nodes { id } } }', 'BAD_INPUT'],
  ] as const)('a request %s has a code and a hint, too', async ([, text, code]) => {
    const answer = await api.query(text);
    expect(answer.errors).toHaveLength(1);
    expect(answer.errors?.[0]?.extensions).toEqual({ code, hint: expect.stringMatching(/\.$/) });
  });

  test('a cursor of another list is refused, and not taken for a place in this one', async () => {
    await api.db.pool.query(`
      with a as (insert into app_public.account (display_name) values ('Ada') returning id)
      insert into app_public.conversation (owner_id, topic) select id, 'Trams' from a`);
    const first = await api.query('{ conversations { pageInfo { endCursor } } }');
    const { endCursor } = first.data.conversations.pageInfo;
    expect(endCursor).toBeTruthy();
    const answer = await api.query(
      'query ($after: Cursor!) { newestProjects(after: $after) { nodes { projectId } } }',
      { variables: { after: endCursor } },
    );
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_INPUT' });
  });

  test('a number that JSON does not keep exactly is refused, not rounded', async () => {
    const answer = await api.query('query ($id: BigInt!) { conversation(id: $id) { id } }', {
      variables: { id: 2 ** 60 },
    });
    expect(answer.errors?.[0]?.message).toMatch(/above 2\^53 as strings/);
  });

  test('a method that is not served names those that are', async () => {
    const put = await fetch(`${api.server.url}/graphql`, { method: 'PUT' });
    expect(put.status).toBe(405);
    expect(put.headers.get('allow')).toBe('POST');
    expect(await put.json()).toMatchObject({ errors: [{ extensions: { code: 'OP007' } }] });
  });

  test('a vote that is refused says why', async () => {
    const answer = await api.query(
      'mutation { castVote(input: { opinionId: 1, choice: agree }) { result { choice } } }',
    );
    expect(answer.errors?.[0]?.extensions?.code).toMatch(/^(AC|DL)\d{3}$/);
    expect(answer.errors?.[0]?.extensions?.hint).toBeTruthy();
  });

  test('a database that is away is 503, what was under way an error with an id; /readyz says so', async () => {
    const answers = await Promise.all([
      api.proxy.close(),
      api.query('{ conversations { nodes { id } } }'),
    ]);
    // Until the host has learned of the end of the connections that it had.
    const later = await until(
      () => api.query('{ __typename conversations { nodes { id } } }'),
      ({ status }) => status === 503,
    );
    expect(later).toEqual({
      status: 503,
      errors: [
        {
          message: 'The database cannot be reached',
          extensions: { code: 'OP016', hint: expect.stringMatching(/again/) },
        },
      ],
    });
    const { headers } = await fetch(`${api.server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation { castVote(input: { opinionId: 1, choice: agree }) { clientMutationId } }',
      }),
    });
    expect(headers.get('retry-after')).toBe('2');
    expect(JSON.stringify(answers[1])).not.toMatch(/ECONN|127\.0\.0\.1/);
    expect(JSON.stringify(later)).not.toMatch(/ECONN|127\.0\.0\.1/);
    expect((await fetch(`${api.server.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${api.server.url}/healthz`)).status).toBe(200);
  });
});
