import { getIntrospectionQuery } from 'postgraphile/graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { assertWithinLimits, LIMITS } from '../../scripts/lib/api-limits.ts';
import { type Answer, startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
  const owner = await api.account();
  await api.db.pool.query(
    "insert into app_public.conversation (owner_id, topic) select $1, 'Topic ' || i from generate_series(1, 120) i",
    [owner],
  );
});

afterAll(() => api.stop());

/** Asserts that the request was refused before anything was sent to the database. */
function expectRefused(answer: Answer, limit: string): void {
  expect(answer.status).toBe(400);
  expect(answer.data).toBeUndefined();
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'OP001', limit });
  expect(api.proxy.counts().statements).toBe(0);
}

const times = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');

describe('requests that are too much are refused before they are planned', () => {
  beforeEach(() => api.proxy.reset());

  test('aliases', async () => {
    const text = (count: number) =>
      `{ ${times(count, (i) => `a${i}: conversation(id: ${i}) { id }`)} }`;
    expect((await api.query(text(LIMITS.aliases))).errors).toBeUndefined();
    api.proxy.reset();
    expectRefused(await api.query(text(LIMITS.aliases + 1)), 'aliases');
    expectRefused(await api.query(text(1_000)), 'tokens');
  });

  test('depth', async () => {
    const nested = (levels: number): string =>
      levels === 0
        ? 'id'
        : `owner { ownedConversations(first: 1) { nodes { ${nested(levels - 1)} } } }`;
    expect((await api.query(`{ conversation(id: 1) { ${nested(2)} } }`)).errors).toBeUndefined();
    api.proxy.reset();
    expectRefused(await api.query(`{ conversation(id: 1) { ${nested(4)} } }`), 'depth');
  });

  test('directives', async () => {
    expectRefused(
      await api.query(`{ conversation(id: 1) { id ${times(51, () => '@include(if: true)')} } }`),
      'directives',
    );
  });

  test('fields of a chain of fragments that doubles at every link', async () => {
    const chain = times(20, (i) => `fragment f${i} on Conversation { ...f${i + 1} ...f${i + 1} }`);
    expectRefused(
      await api.query(
        `{ conversation(id: 1) { ...f0 } } ${chain} fragment f20 on Conversation { id topic }`,
      ),
      'fields',
    );
  });

  test('objects, by literal page sizes and by variables', async () => {
    const text = (first: string) => `
      { conversations(first: 100) { nodes { newOpinions(first: ${first}) { nodes { id } } } } }`;
    expect((await api.query(text('40'))).errors).toBeUndefined();
    api.proxy.reset();
    expectRefused(await api.query(text('60')), 'objects');
    expectRefused(
      await api.query(`query ($n: Int) ${text('$n')}`, { variables: { n: 60 } }),
      'objects',
    );
    expectRefused(await api.query(`query ($n: Int = 60) ${text('$n')}`), 'objects');
  });

  test('pages without a size count as pages of the default size', async () => {
    expectRefused(
      await api.query(`{ conversations { nodes { newOpinions { nodes { conversation {
        newOpinions { edges { node { id } } } } } } } } }`),
      'objects',
    );
  });

  test('a document of more than 100,000 characters, comments and all', async () => {
    const text = (comment: number) => `{ conversation(id: 1) { id } } # ${'x'.repeat(comment)}`;
    expectRefused(await api.query(text(100_000)), 'characters');
    expect((await api.query(text(90_000))).errors).toBeUndefined();
  });

  test('a body of more than 1 MB', async () => {
    const answer = await api
      .query('{ conversation(id: 1) { id } }', { variables: { more: 'x'.repeat(1_000_000) } })
      .catch(() => ({ status: 413 }));
    expect(answer.status).toBe(413);
  });

  test('a fragment that contains itself is a validation error, not a loop', async () => {
    const answer = await api.query(
      '{ conversation(id: 1) { ...f } } fragment f on Conversation { id ...f }',
    );
    expect(answer.errors?.[0]?.message).toMatch(/Cannot spread fragment "f" within itself/);
  });

  test('a syntax error is reported as one', async () => {
    expect((await api.query('{ conversation(id: 1 { id } }')).errors?.[0]?.message).toMatch(
      /^Syntax Error/,
    );
  });
});

describe('pages', () => {
  const size = async (args: string) => {
    const answer = await api.query(`{ conversations${args} { nodes { id } } }`);
    return answer.errors?.[0]?.extensions?.code ?? answer.data.conversations.nodes.length;
  };

  test('have 20 rows unless asked otherwise, and at most 100', async () => {
    expect(await size('')).toBe(20);
    expect(await size('(first: 3)')).toBe(3);
    expect(await size('(last: 5)')).toBe(5);
    expect(await size('(first: 100)')).toBe(100);
    expect(await size('(first: 101)')).toBe('BAD_PAGE');
    expect(await size('(last: 101)')).toBe('BAD_PAGE');
    expect(await size('(first: -1)')).toBe('BAD_PAGE');
    expect(await size('(first: 2147483647)')).toBe('BAD_PAGE');
    expect(await size('(first: 2, last: 2)')).toBe('BAD_PAGE');
  });

  test('the same for a size in a variable', async () => {
    const answer = await api.query(
      'query ($n: Int) { conversations(first: $n) { nodes { id } } }',
      {
        variables: { n: 1_000 },
      },
    );
    expect(answer.errors?.[0]).toMatchObject({
      message: 'first must be from 0 to 100, not 1000',
      extensions: { code: 'BAD_PAGE' },
    });
  });

  test('walk through everything once, by cursor', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const { data } = await api.query(
        `query ($after: Cursor) { conversations(first: 50, after: $after, orderBy: VOTE_COUNT_DESC) {
          nodes { id } pageInfo { hasNextPage endCursor }
        } }`,
        { variables: { after } },
      );
      const page = data.conversations;
      seen.push(...page.nodes.map(({ id }: { id: string }) => id));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after !== null);
    expect(seen).toHaveLength(120);
    expect(new Set(seen).size).toBe(120);
  });

  test('have no offset', async () => {
    expect(
      (await api.query('{ conversations(offset: 1) { nodes { id } } }')).errors?.[0]?.message,
    ).toMatch(/Unknown argument "offset"/);
  });
});

describe('introspection', () => {
  test('works in development, and nested too deep it does not', async () => {
    expect((await api.query(getIntrospectionQuery())).data.__schema.queryType.name).toBe('Query');
    const deep =
      '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }';
    expect((await api.query(deep)).errors?.[0]?.message).toMatch(/introspection depth/i);
  });
});

test('measuring takes time in proportion to the document', () => {
  // 2^300 fields: what did not measure a fragment once would not come back.
  const chain = times(100, (i) => `fragment f${i} on T { ...f${i + 1} ...f${i + 1} }`);
  const text = `{ t { ...f0 } } ${chain} fragment f100 on T { a }`;
  expect(() => assertWithinLimits(text, {}, { ...LIMITS, tokens: 10_000 })).toThrow('fields');
});
