import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../scripts/lib/analysis/analyze.ts';
import { claimAnalysis } from '../../scripts/lib/analysis-store.ts';
import { ROOT } from '../../scripts/lib/config.ts';
import { importPolis } from '../../scripts/lib/polis-import.ts';
import { type Answer, startTestApi, type TestApi } from '../api/test-api.ts';
import { createAccount } from '../deliberation/community.ts';
import { analyzeNow, type MadeConversation, makeConversation } from './lib/conversation.ts';
import { byId, twoCamps } from './lib/made-up.ts';
import { DATA, HAS_DATA, NAMES, type RealConversation, readConversation } from './lib/real.ts';

/* The published analysis as clients of the API see it. */

let api: TestApi;
let made: MadeConversation;
let moderator: string;

beforeAll(async () => {
  api = await startTestApi({ poolSize: 4 });
  made = await makeConversation(api.db, twoCamps(60, 24));
  await analyzeNow(api.db, made.id);
  moderator = await createAccount(api.db, 'Mona', { moderator: true });
});
afterAll(async () => {
  await api?.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: what a test asked for is what it gets.
type Data = any;

async function ask(text: string, authorization?: string): Promise<Data> {
  const answer: Answer = await api.query(text, { authorization });
  expect(answer.errors).toBeUndefined();
  return answer.data;
}

/** All nodes of a connection, page by page. `query` has %s for the arguments. */
async function allPages(query: string, pick: (data: Data) => Data, size = 7): Promise<Data[]> {
  const nodes: Data[] = [];
  for (let after = ''; ; ) {
    const data = pick(await ask(query.replace('%s', `first: ${size}${after}`)));
    nodes.push(...data.nodes);
    if (!data.pageInfo.hasNextPage) return nodes;
    after = `, after: "${data.pageInfo.endCursor}"`;
  }
}

describe('a conversation', () => {
  it('has its groups, with what represents them, and what unites and divides them', async () => {
    const { conversation } = await ask(`{ conversation(id: ${made.id}) { analysis {
      outcome voteCount participantCount memberCount opinionCount silhouette readAt publishedAt
      groups { nodes { key label size isLabelEdited since
        representativeOpinions(first: 5, filter: { rank: { lessThanOrEqualTo: 5 } }) {
          nodes { rank direction probability successCount voteCount opinion { content } } } } }
      consensusOpinions { nodes { direction rank opinion { content } } }
    } } }`);
    const { analysis } = conversation;
    expect(analysis).toMatchObject({ outcome: 'grouped', participantCount: 60, opinionCount: 24 });
    expect(analysis.groups.nodes.map((it: Data) => it.key)).toEqual([0, 1]);
    expect(analysis.groups.nodes[0].size + analysis.groups.nodes[1].size).toBe(
      analysis.memberCount,
    );
    for (const group of analysis.groups.nodes) {
      expect(group.label).not.toBe('');
      expect(group.representativeOpinions.nodes).toHaveLength(5);
      for (const it of group.representativeOpinions.nodes) {
        expect(it.opinion.content).toMatch(/^Statement/);
        expect(it.probability).toBeGreaterThan(0.5);
      }
    }
  });

  it('has positions to plot, page by page, without saying whose they are', async () => {
    const points = await allPages(
      `{ conversation(id: ${made.id}) { analysis { positions(%s) {
        nodes { point x y groupKey group { label } } pageInfo { hasNextPage endCursor } } } } }`,
      (data) => data.conversation.analysis.positions,
      25,
    );
    expect(points.map(({ point }) => point)).toEqual([...Array(60).keys()]);
    const { data, errors } = await api.query(
      `{ conversation(id: ${made.id}) { analysis { positions { nodes { accountId } } } } }`,
    );
    expect(data?.conversation).toBeUndefined();
    expect(errors?.[0]?.message).toMatch(/accountId/);
  });

  it('tells the viewer where they stand', async () => {
    const query = `{ conversation(id: ${made.id}) { analysis { viewerPosition {
      x y group { key label } } } } }`;
    const of = async (id: string) =>
      (await ask(query, await api.as(id))).conversation.analysis.viewerPosition;
    const { rows } = await api.db.pool.query(
      `select p.account_id, p.x, p.group_key from app_public.participant_position p
      join app_public.analysis_run r on r.id = p.run_id
      where r.conversation_id = $1 and p.group_key is not null order by random() limit 5`,
      [made.id],
    );
    for (const { account_id, x, group_key } of rows) {
      expect(await of(account_id)).toMatchObject({ x, group: { key: group_key } });
    }
    expect(await of(moderator)).toBeNull();
    expect((await ask(query)).conversation.analysis.viewerPosition).toBeNull();
  });

  it('lists what is agreed, disagreed and divisive, by pages', async () => {
    const list = (name: string, field: string) =>
      allPages(
        `{ conversation(id: ${made.id}) { ${name}(%s) {
          nodes { standing ${field} opinion { content } groupVotes { agreeCount disagreeCount } }
          pageInfo { hasNextPage endCursor } } } }`,
        (data) => data.conversation[name],
      );
    const divisive = await list('divisiveOpinions', 'divisiveness');
    expect(divisive.length).toBeGreaterThan(10);
    for (const [at, it] of divisive.entries()) {
      expect(it.standing).toBe('divisive');
      const [a, b] = it.groupVotes;
      expect((a.agreeCount - a.disagreeCount) * (b.agreeCount - b.disagreeCount)).toBeLessThan(0);
      if (at > 0) expect(it.divisiveness).toBeLessThanOrEqual(divisive[at - 1].divisiveness);
    }
    expect(await list('agreedOpinions', 'consensus')).toEqual([]);
    expect(await list('disagreedOpinions', 'dissent')).toEqual([]);
  });

  it('asks the viewer next what tells most, and nothing that they voted on', async () => {
    const voter = made.accounts.get(7) as string;
    const authorization = await api.as(voter);
    const next = async () =>
      (
        await ask(
          `{ conversation(id: ${made.id}) { nextOpinions(first: 100) {
            nodes { priority opinionId opinion { myChoice } } } } }`,
          authorization,
        )
      ).conversation.nextOpinions.nodes;
    const before = await next();
    const { rows } = await api.db.pool.query(
      `select count(*)::int as n from app_public.opinion_vote v
      where v.voter_id = $1 and v.cancelled_at is null`,
      [voter],
    );
    expect(before).toHaveLength(24 - rows[0].n);
    expect(before.every((it: Data) => it.opinion.myChoice === null)).toBe(true);
    const priorities = before.map((it: Data) => it.priority);
    expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
    await ask(
      `mutation { castVote(input: { opinionId: ${before[0].opinionId}, choice: agree }) {
        result { opinionId } } }`,
      authorization,
    );
    expect(await next()).toEqual(before.slice(1));
  });

  it('shows in its list of opinions how each group voted, from one row of each', async () => {
    const { conversation } = await ask(`{ conversation(id: ${made.id}) { newOpinions(first: 30) {
      nodes { content opinionAnalysis { standing priority groupVotes {
        groupKey label agreeCount disagreeCount passCount } } } } } }`);
    expect(conversation.newOpinions.nodes).toHaveLength(24);
    for (const { opinionAnalysis } of conversation.newOpinions.nodes) {
      expect(opinionAnalysis.groupVotes.map((it: Data) => it.groupKey)).toEqual([0, 1]);
    }
  });

  it('has its groups named by moderators, and by nobody else', async () => {
    const { conversation } = await ask(`{ conversation(id: ${made.id}) { analysis { id } } }`);
    const rename = `mutation { setGroupLabel(input: {
      runId: ${conversation.analysis.id}, key: 1, label: "Gardeners"
    }) { result { label isLabelEdited } } }`;
    const refused = await api.query(rename, { authorization: await api.as(made.owner) });
    expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'DL007' });
    const named = await ask(rename, await api.as(moderator, 'moderator'));
    expect(named.setGroupLabel.result).toEqual({ label: 'Gardeners', isLabelEdited: true });
    const { data, errors } = await api.query(rename.replace('key: 1', 'key: 4'), {
      authorization: await api.as(moderator, 'moderator'),
    });
    expect(data?.setGroupLabel ?? null).toBeNull();
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'AN001', hint: expect.any(String) });
  });

  it('without an analysis has none, and one that is deleted shows none', async () => {
    const fresh = await makeConversation(api.db, twoCamps(3, 8));
    const analysis = `{ conversation(id: ${fresh.id}) { analysis { outcome } } }`;
    expect((await ask(analysis)).conversation).toEqual({ analysis: null });
    const { runId } = await analyzeNow(api.db, fresh.id);
    expect((await ask(analysis)).conversation.analysis).toEqual({
      outcome: 'not_enough_participants',
    });
    await api.db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
      fresh.id,
    ]);
    await api.db.asAnonymous(async (client) => {
      for (const table of ['analysis_run where id', 'participant_position where run_id']) {
        expect((await client.query(`select 1 from app_public.${table} = ${runId}`)).rows).toEqual(
          [],
        );
      }
    });
  });

  it('answers what the README asks', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const [, text] = /## Opinion groups.*?```graphql\n(.*?)```/s.exec(readme) ?? [];
    const { conversation } = await ask(
      (text as string).replace('conversation(id: 1)', `conversation(id: ${made.id})`),
    );
    expect(conversation.analysis.groups.nodes).toHaveLength(2);
    expect(conversation.divisiveOpinions.nodes[0].opinion.content).toMatch(/Statement/);
    expect(conversation.newOpinions.nodes).toHaveLength(20);
  });

  it('shows the published result only', async () => {
    await analyzeNow(api.db, made.id);
    await api.db.asAnonymous(async (client) => {
      const { rows } = await client.query(
        'select is_published from app_public.analysis_run where conversation_id = $1',
        [made.id],
      );
      expect(rows).toEqual([{ is_published: true }]);
      await expect(
        client.query('select account_id from app_public.participant_position'),
      ).rejects.toMatchObject({ code: '42501' });
    });
    await api.db.asModerator(moderator, async (client) => {
      await expect(
        client.query('update app_public.opinion_group set size = 1'),
      ).rejects.toMatchObject({ code: '42501' });
    });
  });
});

describe.skipIf(!HAS_DATA).each(NAMES)('%s, imported and read back', (name) => {
  let real: RealConversation;
  let id: number;
  /** Opinion ids by the statement's number in the export. */
  const opinions = new Map<number, string>();

  beforeAll(async () => {
    real = await readConversation(name);
    id = (await importPolis(api.db.connectionString, `${DATA}/${name}`)).conversationId;
    await analyzeNow(api.db, id);
    const { rows } = await api.db.pool.query<{ statement: string; id: string }>(
      `select split_part(g.external_id, '/', -1) as statement, o.id
      from app_public.opinion o join app_private.opinion_origin g on g.opinion_id = o.id
      where o.conversation_id = $1`,
      [id],
    );
    for (const row of rows) opinions.set(Number(row.statement), row.id);
  });

  it('counts and consensus are those of the reference', async () => {
    const { counts, consensus } = real.reference;
    const { conversation } = await ask(`{ conversation(id: ${id}) { analysis {
      outcome voteCount participantCount memberCount opinionCount
      groups { nodes { size } }
      consensusOpinions(first: 20) { nodes {
        direction rank opinionId successCount voteCount probability probabilityTest } }
    } } }`);
    expect(conversation.analysis).toMatchObject({
      outcome: 'grouped',
      voteCount: counts.latest_votes,
      participantCount: counts.participants,
      memberCount: counts.in_conv_min7,
      opinionCount: counts.statements_with_votes,
    });
    expect(conversation.analysis.groups.nodes).toHaveLength(2);
    for (const direction of ['agree', 'disagree'] as const) {
      const found = conversation.analysis.consensusOpinions.nodes.filter(
        (it: Data) => it.direction === direction,
      );
      expect(found).toEqual(
        consensus[direction].map((it, at) => ({
          direction,
          rank: at + 1,
          opinionId: opinions.get(it.statement_id),
          successCount: it.n_success,
          voteCount: it.n_trials,
          probability: expect.closeTo(it.p_success, 10),
          probabilityTest: expect.closeTo(it.p_test, 9),
        })),
      );
    }
  });

  it('what was imported gives the result of the export itself, to the last bit', async () => {
    const { rows } = await api.db.pool.query<{ participant: string; id: string }>(
      `select split_part(external_id, '#', -1) as participant, account_id as id
      from app_private.account_origin where external_id like '%#%'
        and account_id in (
          select voter_id from app_public.opinion_vote where conversation_id = $1
        )`,
      [id],
    );
    const client = await api.db.connect();
    const claim = (await claimAnalysis(client, id)) ?? expect.fail('no claim');
    const found = byId(analyze({ ...claim.input, previous: null }), {
      participants: new Map(rows.map((row) => [Number(row.participant), Number(row.id)])),
      statements: new Map([...opinions].map(([statement, it]) => [statement, Number(it)])),
    });
    expect(found).toEqual(byId(analyze(real.input)));
  });

  it('groups and what represents them are what the votes of the export give', async () => {
    const result = analyze(real.input);
    const { conversation } = await ask(`{ conversation(id: ${id}) { analysis { groups { nodes {
      key size representativeOpinions(first: 100) { nodes {
        rank isSelected isBestAgree direction opinionId successCount voteCount
        probability probabilityTest ratio ratioTest } } } } } } }`);
    const groups = conversation.analysis.groups.nodes;
    expect(groups.map(({ key, size }: Data) => ({ key, size }))).toEqual(
      result.groups.map(({ key, size }) => ({ key, size })),
    );
    for (const [at, { representativeOpinions }] of groups.entries()) {
      const found = representativeOpinions.nodes
        .filter((it: Data) => it.isSelected)
        .sort((a: Data, b: Data) => a.rank - b.rank);
      expect(found).toEqual(
        result.representatives[at]?.selected.map((it) => ({
          rank: expect.any(Number),
          isSelected: true,
          isBestAgree: it.bestAgree,
          direction: it.direction,
          opinionId: opinions.get(result.statements.ids[it.column] as number),
          successCount: it.successes,
          voteCount: it.trials,
          probability: it.probability,
          probabilityTest: it.probabilityTest,
          ratio: it.ratio,
          ratioTest: it.ratioTest,
        })),
      );
      expect(found.length).toBeGreaterThan(0);
    }
  });

  it('group-aware consensus and priority of every listed opinion are, too', async () => {
    const { statements } = analyze(real.input);
    const listed = await allPages(
      `{ conversation(id: ${id}) { newOpinions(%s) {
        nodes { id opinionAnalysis { consensus dissent divisiveness priority extremity } }
        pageInfo { hasNextPage endCursor } } } }`,
      (data) => data.conversation.newOpinions,
      100,
    );
    const found = new Map(listed.map((it) => [it.id, it.opinionAnalysis]));
    let compared = 0;
    for (const [column, statement] of statements.ids.entries()) {
      const it = found.get(opinions.get(statement) as string);
      if (it === undefined) {
        expect(real.input.moderated).toContain(statement);
        continue;
      }
      expect(it).toEqual({
        consensus: statements.consensusAgree[column],
        dissent: statements.consensusDisagree[column],
        divisiveness: statements.divisiveness[column],
        priority: statements.priority[column],
        extremity: statements.extremity[column],
      });
      compared += 1;
    }
    expect(compared).toBeGreaterThan(20);
  });

  it('positions and extremity are those of the reference, up to the sign of an axis', async () => {
    const { projection, pca } = real.reference;
    const points = await allPages(
      `{ conversation(id: ${id}) { analysis { positions(%s) {
        nodes { x y } pageInfo { hasNextPage endCursor } } } } }`,
      (data) => data.conversation.analysis.positions,
      100,
    );
    const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
    for (const axis of ['x', 'y'] as const) {
      const found = sorted(points.map((it) => it[axis]));
      for (const [at, value] of sorted(projection[axis]).entries()) {
        expect(Math.abs((found[at] as number) - value)).toBeLessThan(1e-8);
      }
      expect(found).toHaveLength(projection.participant_ids.length);
    }
    const ids = pca.statement_ids.slice(0, 15);
    const { ...answers } = await ask(
      `{ ${ids
        .map((statement) => {
          return `s${statement}: opinion(id: ${opinions.get(statement)}) {
            opinionAnalysis { extremity } }`;
        })
        .join(' ')} }`,
    );
    for (const [at, statement] of ids.entries()) {
      // What is hidden is hidden here too.
      const answer = answers[`s${statement}`];
      if (answer === null) expect(real.input.moderated).toContain(statement);
      else {
        expect(
          Math.abs(answer.opinionAnalysis.extremity - (pca.extremity[at] as number)),
        ).toBeLessThan(1e-8);
      }
    }
  });
});
