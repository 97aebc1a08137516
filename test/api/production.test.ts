import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi({ development: false });
});

afterAll(() => api.stop());

test('in production there is no Ruru and no introspection', async () => {
  expect((await fetch(`${api.server.url}/`)).status).toBe(404);
  const answer = await api.query('{ __schema { queryType { name } } }');
  expect(answer.errors?.[0]?.message).toMatch(/introspection has been disabled/i);
  expect((await api.query('{ conversations { nodes { id } } }')).errors).toBeUndefined();
});
