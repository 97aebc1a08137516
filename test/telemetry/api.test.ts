import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { startTestApi, type TestApi } from '../api/test-api.ts';
import { createAccount } from '../deliberation/community.ts';
import { fromNow } from './events.ts';

/* Telemetry as clients of the API send it, and moderators read it. */

let api: TestApi;
let asAda: string;
let asBob: string;
let asMona: string;

beforeAll(async () => {
  api = await startTestApi({ poolSize: 2 });
  asAda = await api.as(await api.account('Ada'));
  asBob = await api.as(await api.account('Bob'));
  asMona = await api.as(await createAccount(api.db, 'Mona', { moderator: true }), 'moderator');
});
afterAll(async () => {
  await api?.stop();
});

const INGEST = `mutation ($events: JSON!) {
  ingestTelemetry(input: { events: $events }) {
    result { storedCount duplicateCount refusedCount refusals { eventIndex reason detail } }
  }
}`;

const send = (events: unknown, authorization?: string) =>
  api.query(INGEST, { authorization, variables: { events } });

describe('a batch', () => {
  it('is a list of objects; what is refused is told by place and reason', async () => {
    const id = randomUUID();
    const events = [
      { id, kind: 'page.view', occurredAt: fromNow(-5), payload: { path: '/', deep: { a: [1] } } },
      { kind: 'Page' },
      { kind: 'click', payload: { text: '\u0000' } },
      { kind: 'click' },
    ];
    const answer = await send(events, asAda);
    expect(answer.errors).toBeUndefined();
    expect(answer.data.ingestTelemetry.result).toEqual({
      storedCount: 2,
      duplicateCount: 0,
      refusedCount: 2,
      refusals: [
        { eventIndex: 1, reason: 'bad_kind', detail: expect.stringContaining('lower-case') },
        { eventIndex: 2, reason: 'malformed', detail: expect.stringMatching(/\S/) },
      ],
    });
    const again = await send(events.slice(0, 1), asAda);
    expect(again.data.ingestTelemetry.result).toMatchObject({ storedCount: 0, duplicateCount: 1 });
    expect(
      (await send([{ kind: 'page.view' }], asBob)).data.ingestTelemetry.result.storedCount,
    ).toBe(1);
  });

  it('of a thousand events with all that they may say fits into a request', async () => {
    const events = Array.from({ length: 1000 }, (_, n) => ({
      id: randomUUID(),
      kind: 'bulk.load',
      occurredAt: fromNow(-n),
      payload: {
        path: `/projects/${n}`,
        referrer: 'https://example.org/',
        ms: n,
        note: 'x'.repeat(500),
      },
    }));
    const { data, errors } = await send(events, asBob);
    expect(errors).toBeUndefined();
    expect(data.ingestTelemetry.result).toMatchObject({ storedCount: 1000, refusedCount: 0 });
    await api.db.pool.query("delete from app_public.telemetry_event where kind = 'bulk.load'");
    await api.db.pool.query("delete from app_public.telemetry_day where kind = 'bulk.load'");
  });

  it.each([
    ['that is none', { kind: 'a' }, 'TM001'],
    ['of 1,001', Array.from({ length: 1001 }, () => ({ kind: 'a' })), 'TM002'],
  ])('%s is an error with code, detail and hint', async (_, events, code) => {
    const answer = await send(events, asAda);
    expect(answer.errors?.[0]?.extensions).toMatchObject({
      code,
      detail: expect.stringMatching(/\S/),
      hint: expect.stringMatching(/\S/),
    });
  });

  it('of nobody is an error', async () => {
    expect((await send([{ kind: 'a' }])).errors?.[0]?.extensions?.code).toBe('AC001');
  });
});

describe('moderators', () => {
  const DAYS = `{ telemetryDays(first: 10) { nodes { day kind eventCount accountCount } } }`;
  const EVENTS = `query ($after: Cursor, $kind: String) {
    telemetryEvents(first: 2, after: $after, kind: $kind) {
      nodes { id kind payload account { displayName } }
      pageInfo { hasNextPage endCursor }
    }
  }`;

  it('read the sums of each day, exact', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const { data, errors } = await api.query(DAYS, { authorization: asMona });
    expect(errors).toBeUndefined();
    expect(data.telemetryDays.nodes).toEqual([
      { day: today, kind: 'click', eventCount: '1', accountCount: '1' },
      { day: today, kind: 'page.view', eventCount: '2', accountCount: '2' },
    ]);
  });

  it('page through events, newest first', async () => {
    const kinds: string[] = [];
    let after: string | null = null;
    do {
      const { data, errors } = await api.query(EVENTS, {
        authorization: asMona,
        variables: { after },
      });
      expect(errors).toBeUndefined();
      const { nodes, pageInfo } = data.telemetryEvents;
      kinds.push(...nodes.map((it: { kind: string }) => it.kind));
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (after !== null);
    expect(kinds.toSorted()).toEqual(['click', 'page.view', 'page.view']);
    const { data } = await api.query(EVENTS, {
      authorization: asMona,
      variables: { kind: 'click' },
    });
    expect(data.telemetryEvents.nodes).toMatchObject([
      { kind: 'click', account: { displayName: 'Ada' } },
    ]);
  });

  it('search payloads', async () => {
    const { data, errors } = await api.query(
      `query ($payload: JSON!) {
        searchTelemetry(payload: $payload, first: 5) { nodes { kind payload } }
      }`,
      { authorization: asMona, variables: { payload: { deep: { a: [1] } } } },
    );
    expect(errors).toBeUndefined();
    expect(data.searchTelemetry.nodes).toEqual([
      { kind: 'page.view', payload: { path: '/', deep: { a: [1] } } },
    ]);
  });

  it('and clients have what the README says answered', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const section = /## Telemetry\n(.*?)\n## /s.exec(readme)?.[1] ?? '';
    const [ingest, read] = [...section.matchAll(/```graphql\n(.*?)```/gs)].map(([, text]) => text);
    const sent = await api.query(ingest as string, {
      authorization: asAda,
      variables: { events: [{ kind: 'app.error', payload: { path: '/projects' } }] },
    });
    expect(sent.errors).toBeUndefined();
    expect(sent.data.ingestTelemetry.result).toMatchObject({ storedCount: 1 });
    const days = (text: string) =>
      text.replaceAll(/"20\d\d-\d\d-\d\d"/g, `"${fromNow(0).slice(0, 10)}"`);
    const { data, errors } = await api.query(days(read as string), { authorization: asMona });
    expect(errors).toBeUndefined();
    expect(data.telemetryDays.nodes.map((it: { kind: string }) => it.kind)).toContain('app.error');
    expect(data.telemetryEvents.nodes).toHaveLength(1);
    expect(data.searchTelemetry.nodes).toHaveLength(1);
  });

  it('are the only ones', async () => {
    for (const authorization of [undefined, asAda]) {
      const { data, errors } = await api.query(
        `{ telemetryDays { nodes { kind } } telemetryEvents { nodes { kind } }
          searchTelemetry(payload: {}) { nodes { kind } } }`,
        { authorization },
      );
      expect(errors).toBeUndefined();
      expect(data).toEqual({
        telemetryDays: { nodes: [] },
        telemetryEvents: { nodes: [] },
        searchTelemetry: { nodes: [] },
      });
    }
  });
});
