import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { analyze } from '../../scripts/lib/analysis/analyze.ts';
import { runAnalysis } from '../../scripts/lib/analysis-run.ts';
import { claimAnalysis, publishAnalysis } from '../../scripts/lib/analysis-store.ts';
import { createAccount, one } from '../deliberation/community.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import {
  addVotes,
  analyzeNow,
  type MadeConversation,
  makeConversation,
} from './lib/conversation.ts';
import type { Vote } from './lib/dense.ts';
import { twoCamps } from './lib/made-up.ts';

/* What an analysis reads, what it writes, and what stays when something comes between. */

let db: TestDatabase;
let made: MadeConversation;

beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(async () => {
  await db?.drop();
});
beforeEach(async () => {
  made = await makeConversation(db, twoCamps(30, 16));
});

const published = () =>
  one(
    db.pool,
    'select * from app_public.analysis_run where conversation_id = $1 and is_published',
    [made.id],
  );
const groups = async () =>
  (
    await db.pool.query(
      `select g.* from app_public.opinion_group g join app_public.analysis_run r on r.id = g.run_id
      where r.conversation_id = $1 and r.is_published order by g.key`,
      [made.id],
    )
  ).rows;
const opinion = (number: number) => made.opinions.get(number) as string;
const account = (number: number) => made.accounts.get(number) as string;

describe('what is read', () => {
  it('are the votes that stand, and the opinions that are there', async () => {
    const votes = twoCamps(30, 16);
    await db.pool.query(
      `update app_public.opinion_vote set cancelled_at = now() where opinion_id = $1`,
      [opinion(3)],
    );
    await db.pool.query('update app_public.opinion set deleted_at = now() where id = $1', [
      opinion(4),
    ]);
    await db.pool.query("update app_public.opinion set moderation = 'moved' where id = $1", [
      opinion(5),
    ]);
    const client = await db.connect();
    const claim = await claimAnalysis(client, made.id);
    const { events, moderated, texts, previous } = claim?.input ?? {};
    const rest = votes.filter(({ statement }) => statement !== 3 && statement !== 4);
    const keys = (list: [number, number, number][]) =>
      list.map((it) => it.join('/')).sort((a, b) => a.localeCompare(b));
    expect(
      keys(
        Array.from(events?.values ?? [], (value, at) => [
          events?.participants[at] as number,
          events?.statements[at] as number,
          value,
        ]),
      ),
    ).toEqual(
      keys(
        rest.map(({ participant, statement, value }) => [
          Number(account(participant)),
          Number(opinion(statement)),
          value,
        ]),
      ),
    );
    expect(moderated).toEqual([Number(opinion(5))]);
    expect(texts?.has(Number(opinion(4)))).toBe(false);
    expect(texts?.get(Number(opinion(5)))).toBe('Statement 5 about oaks');
    expect(previous).toBeNull();
  });

  it('is nothing of a conversation that is not there', async () => {
    const client = await db.connect();
    expect(await claimAnalysis(client, 987_654)).toBeNull();
    await db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
      made.id,
    ]);
    expect(await claimAnalysis(client, made.id)).toBeNull();
    expect(await runAnalysis(db.pool, made.id, { compute: analyze, keep: 3 })).toBeNull();
  });

  it('is what was published before, so that groups keep their keys', async () => {
    await analyzeNow(db, made.id);
    const client = await db.connect();
    const claim = await claimAnalysis(client, made.id);
    expect([...(claim?.input.previous?.participantIds ?? [])]).toEqual(
      [...made.accounts.values()].map(Number).sort((a, b) => a - b),
    );
    expect([...(claim?.input.previous?.group ?? [])]).toEqual(expect.arrayContaining([0, 1]));
  });
});

describe('a result', () => {
  it('is in the tables as it was computed', async () => {
    const client = await db.connect();
    const claim = await claimAnalysis(client, made.id);
    const result = analyze(claim?.input ?? expect.fail('no claim'));
    const run = await analyzeNow(db, made.id);
    expect(await published()).toMatchObject({
      id: String(run.runId),
      outcome: 'grouped',
      vote_count: result.votes,
      opinion_count: 16,
      participant_count: 30,
      member_count: result.members,
      group_keys: [0, 1],
    });
    expect(await groups()).toMatchObject(
      result.groups.map(({ key, size, label }) => ({ key, size, label, is_label_edited: false })),
    );
    const { rows: positions } = await db.pool.query(
      `select * from app_public.participant_position where run_id = $1 order by account_id`,
      [run.runId],
    );
    expect(positions.map(({ x, y, group_key }) => [x, y, group_key])).toEqual(
      Array.from(result.participants.ids, (_, at) => [
        result.participants.x[at],
        result.participants.y[at],
        result.participants.group[at],
      ]),
    );
    expect(positions.map(({ point }) => point).sort((a, b) => a - b)).toEqual([
      ...Array(30).keys(),
    ]);
    const { rows: stats } = await db.pool.query(
      'select * from app_private.opinion_group_stats where run_id = $1 order by opinion_id',
      [run.runId],
    );
    const { counts, statements } = result;
    for (const [column, row] of stats.entries()) {
      const cells = [column, counts.columns + column];
      expect(row).toMatchObject({
        opinion_id: String(statements.ids[column]),
        agrees: cells.map((cell) => counts.agrees[cell]),
        disagrees: cells.map((cell) => counts.disagrees[cell]),
        passes: cells.map(
          (cell) => counts.votes[cell]! - counts.agrees[cell]! - counts.disagrees[cell]!,
        ),
        standing: [null, 'agreed', 'disagreed', 'divisive'][statements.standing[column] as number],
        consensus: statements.consensusAgree[column],
        dissent: statements.consensusDisagree[column],
        divisiveness: statements.divisiveness[column],
        extremity: statements.extremity[column],
        priority: statements.priority[column],
      });
    }
    expect(stats).toHaveLength(16);
    const { rows: representatives } = await db.pool.query(
      `select group_key, array_agg(opinion_id::int order by rank) as ids,
        count(*) filter (where is_selected)::int as selected
      from app_public.representative_opinion where run_id = $1 group by group_key order by 1`,
      [run.runId],
    );
    expect(representatives).toHaveLength(2);
    for (const { group_key, ids, selected } of representatives) {
      const of = result.representatives[group_key];
      const chosen = of?.selected.map(({ column }) => statements.ids[column]);
      expect(ids.slice(0, selected)).toEqual(chosen);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it('says of each opinion how the groups voted, in one row', async () => {
    const run = await analyzeNow(db, made.id);
    const { rows } = await db.pool.query(
      `select a.*, array(
          select format('%s:%s:%s/%s/%s', g.group_key, g.label, g.agree_count, g.disagree_count,
            g.pass_count)
          from unnest(a.group_votes) g
        ) as votes
      from app_public.opinion_analysis a where conversation_id = $1 order by opinion_id`,
      [made.id],
    );
    const { rows: counted } = await db.pool.query(
      `select o.id, array(
          select format('%s:%s:%s/%s/%s', g.key, g.label,
            count(*) filter (where v.choice = 'agree'),
            count(*) filter (where v.choice = 'disagree'),
            count(*) filter (where v.choice = 'pass'))
          from app_public.opinion_group g
          left join app_public.participant_position p
            on p.run_id = g.run_id and p.group_key = g.key
          left join app_public.opinion_vote v
            on v.opinion_id = o.id and v.voter_id = p.account_id and v.cancelled_at is null
          where g.run_id = $2 group by g.key, g.label order by g.key
        ) as votes
      from app_public.opinion o where o.conversation_id = $1 order by o.id`,
      [made.id, run.runId],
    );
    expect(rows.map(({ votes }) => votes)).toEqual(counted.map(({ votes }) => votes));
    expect(rows.every(({ run_id }) => run_id === String(run.runId))).toBe(true);
  });

  it('of an opinion that no analysis has seen has the priority of one without votes', async () => {
    await analyzeNow(db, made.id);
    const { id } = await one(
      db.pool,
      `insert into app_public.opinion (conversation_id, author_id, content)
      values ($1, $2, 'New') returning id`,
      [made.id, made.owner],
    );
    await db.pool.query("select millrace.run_now('app_public.opinion_analysis')");
    expect(
      await one(db.pool, 'select * from app_public.opinion_analysis where opinion_id = $1', [id]),
    ).toMatchObject({ priority: 5.0625, standing: null, group_votes: '{}' });
  });

  it('takes the place of the one before; earlier ones are kept as many as asked for', async () => {
    const runs = [];
    for (let round = 0; round < 5; round += 1) runs.push((await analyzeNow(db, made.id, 3)).runId);
    const { rows } = await db.pool.query(
      `select r.id::int, r.is_published, (
          select count(*)::int from app_private.opinion_group_stats s where s.run_id = r.id
        ) as opinions, (
          select count(*)::int from app_public.participant_position p where p.run_id = r.id
        ) as positions
      from app_public.analysis_run r where r.conversation_id = $1 order by r.id`,
      [made.id],
    );
    expect(rows).toEqual(
      runs.slice(-3).map((id, at) => ({
        id,
        is_published: at === 2,
        opinions: 16,
        positions: 30,
      })),
    );
    const { rows: orphans } = await db.pool.query(
      `select run_id from app_private.opinion_group_stats
      union select run_id from app_public.participant_position
      except select id from app_public.analysis_run`,
    );
    expect(orphans).toEqual([]);
  });

  it('goes with its conversation', async () => {
    const { runId } = await analyzeNow(db, made.id);
    await db.pool.query('delete from app_public.conversation where id = $1', [made.id]);
    for (const table of ['app_private.opinion_group_stats', 'app_public.participant_position']) {
      expect(
        (await db.pool.query(`select from ${table} where run_id = $1`, [runId])).rowCount,
      ).toBe(0);
    }
  });

  it('of too little data is a result that says so', async () => {
    const outcomes: Record<string, Vote[]> = {
      not_enough_participants: twoCamps(3, 8),
      no_groups: twoCamps(20, 8).map((vote) => ({ ...vote, value: 1 })),
      not_enough_opinions: twoCamps(20, 1),
    };
    for (const [outcome, votes] of Object.entries(outcomes)) {
      made = await makeConversation(db, votes);
      expect((await analyzeNow(db, made.id)).outcome).toBe(outcome);
      expect(await published()).toMatchObject({ outcome, group_keys: [], silhouette: null });
      expect(await groups()).toEqual([]);
    }
    const { id } = await one<{ id: string }>(
      db.pool,
      "insert into app_public.conversation (owner_id, topic) values ($1, 'Empty') returning id",
      [made.owner],
    );
    expect((await analyzeNow(db, Number(id))).outcome).toBe('no_votes');
  });
});

describe('what comes between', () => {
  const request = () =>
    one<{ n: string }>(db.pool, 'select app_private.request_analysis($1) as n', [made.id]);

  it('a result of a later request is not overwritten by one of an earlier', async () => {
    const early = await db.connect();
    const earlyClaim = (await claimAnalysis(early, made.id)) ?? expect.fail('no claim');
    await request();
    const { runId } = await analyzeNow(db, made.id);
    await early.query('begin');
    expect(await publishAnalysis(early, earlyClaim, analyze(earlyClaim.input))).toBeNull();
    await early.query('commit');
    expect((await published()).id).toBe(String(runId));
    const { rows } = await db.pool.query(
      'select count(*)::int as n from app_public.analysis_run where conversation_id = $1',
      [made.id],
    );
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('of two that publish at once the one of the earlier request gives way', async () => {
    const [early, late] = [await db.connect(), await db.connect()];
    const earlyClaim = (await claimAnalysis(early, made.id)) ?? expect.fail('no claim');
    await request();
    const lateClaim = (await claimAnalysis(late, made.id)) ?? expect.fail('no claim');
    await late.query('begin');
    const lateRun = await publishAnalysis(late, lateClaim, analyze(lateClaim.input));
    await early.query('begin');
    const pid = await backendPid(early);
    const waiting = publishAnalysis(early, earlyClaim, analyze(earlyClaim.input));
    await waitUntilBlocked(db.pool, pid);
    await late.query('commit');
    expect(await waiting).toBeNull();
    await early.query('commit');
    expect((await published()).id).toBe(String(lateRun));
  });

  it('nobody sees half of a result', async () => {
    const before = await analyzeNow(db, made.id);
    const client = await db.connect();
    const claim = (await claimAnalysis(client, made.id)) ?? expect.fail('no claim');
    await client.query('begin');
    const runId = await publishAnalysis(client, claim, analyze(claim.input));
    expect((await published()).id).toBe(String(before.runId));
    await client.query('rollback');
    expect((await published()).id).toBe(String(before.runId));
    const { rowCount } = await db.pool.query(
      'select from app_private.opinion_group_stats where run_id = $1',
      [runId],
    );
    expect(rowCount).toBe(0);
  });

  it('a request waits for the result that is being published, and is seen by it or after it', async () => {
    const client = await db.connect();
    const claim = (await claimAnalysis(client, made.id)) ?? expect.fail('no claim');
    const due = async (of = client) =>
      (await one<{ due: boolean }>(of, 'select app_private.is_analysis_due($1) as due', [made.id]))
        .due;
    await client.query('begin');
    await publishAnalysis(client, claim, analyze(claim.input));
    expect(await due()).toBe(false);
    const other = await db.connect();
    const pid = await backendPid(other);
    const requested = other.query('select app_private.request_analysis($1)', [made.id]);
    await waitUntilBlocked(db.pool, pid);
    await client.query('commit');
    await requested;
    expect(await due(other)).toBe(true);

    const again = (await claimAnalysis(client, made.id)) ?? expect.fail('no claim');
    await request();
    await client.query('begin');
    await publishAnalysis(client, again, analyze(again.input));
    expect(await due()).toBe(true);
    await client.query('commit');
  });

  it('publishing locks nothing that a vote, an opinion or a moderation needs', async () => {
    await analyzeNow(db, made.id);
    const client = await db.connect();
    const claim = (await claimAnalysis(client, made.id)) ?? expect.fail('no claim');
    await client.query('begin');
    await publishAnalysis(client, claim, analyze(claim.input));
    const { rows } = await client.query<{ relation: string }>(
      `select distinct relation::regclass::text as relation from pg_locks
      where pid = pg_backend_pid() and locktype = 'relation' and mode <> 'AccessShareLock'`,
    );
    const locked = rows.map(({ relation }) => relation);
    expect(locked).toContain('app_public.analysis_run');
    for (const table of ['opinion', 'opinion_vote', 'account', 'opinion_moderation']) {
      expect(locked).not.toContain(`app_public.${table}`);
    }
    const voter = await db.connect();
    await voter.query("set lock_timeout = '2s'");
    await addVotes(voter, made, [{ participant: 1, statement: 2, value: 0 }]);
    await voter.query("update app_public.opinion set moderation = 'moved' where id = $1", [
      opinion(7),
    ]);
    await client.query('commit');
  });
});

describe('the name of a group', () => {
  let moderator: string;
  beforeAll(async () => {
    moderator = await createAccount(db, 'Mona', { moderator: true });
  });

  const name = async (label: string, { key = 0, run = null as string | null } = {}) => {
    const runId = run ?? (await published()).id;
    return await db.asModerator(
      moderator,
      (client) =>
        one(client, 'select * from app_public.set_group_label($1, $2, $3)', [runId, key, label]),
      { commit: true },
    );
  };

  it('is what a moderator writes, at once and in later results', async () => {
    await analyzeNow(db, made.id);
    expect(await name('  The foresters ')).toMatchObject({
      label: 'The foresters',
      is_label_edited: true,
    });
    await db.pool.query("select millrace.run_now('app_public.opinion_analysis')");
    const { rows } = await db.pool.query(
      `select distinct (group_votes)[1].label from app_public.opinion_analysis
      where conversation_id = $1`,
      [made.id],
    );
    expect(rows).toEqual([{ label: 'The foresters' }]);
    await addVotes(
      db.pool,
      made,
      twoCamps(33, 16, 2).filter(({ participant: p }) => p > 29),
    );
    await analyzeNow(db, made.id);
    const [first, second] = await groups();
    expect(first).toMatchObject({ key: 0, label: 'The foresters', is_label_edited: true });
    expect(second).toMatchObject({ key: 1, is_label_edited: false });
    expect((await published()).labels).toEqual(['The foresters', second.label]);
    expect(await name('')).toMatchObject({ label: first.made_label, is_label_edited: false });
  });

  it('is gone with the group', async () => {
    await analyzeNow(db, made.id);
    const since = (await groups())[0].since;
    await analyzeNow(db, made.id);
    expect((await groups())[0].since).toEqual(since);
    await name('The foresters');
    // Everybody changes sides on half of the opinions: other people agree with each other now.
    const regrouped = twoCamps(30, 16).map((vote) => ({
      ...vote,
      value: (((vote.participant >> 1) + vote.statement) % 2 === 0 ? 1 : -1) as Vote['value'],
    }));
    await addVotes(db.pool, made, regrouped);
    await analyzeNow(db, made.id);
    for (const group of await groups()) {
      expect(group).toMatchObject({ is_label_edited: false });
      expect(group.since).not.toEqual(since);
    }
    const { rowCount } = await db.pool.query(
      'select from app_private.group_label where conversation_id = $1',
      [made.id],
    );
    expect(rowCount).toBe(0);
  });

  it('is for moderators, of a group of the published result, and not too long', async () => {
    const { runId } = await analyzeNow(db, made.id);
    await expectSqlState(
      db.asAccount(made.owner, (client) =>
        client.query("select app_public.set_group_label($1, 0, 'Mine')", [runId]),
      ),
      'DL007',
    );
    await expectSqlState(name('x', { key: 5 }), 'AN001');
    await expectSqlState(name('x'.repeat(81)), 'AN002');
    await analyzeNow(db, made.id);
    await expectSqlState(name('x', { run: String(runId) }), 'AN001');
  });

  it('that is given while a result is published waits, and finds its group gone or carried over', async () => {
    const { runId } = await analyzeNow(db, made.id);
    const client = await db.connect();
    const claim = (await claimAnalysis(client, made.id)) ?? expect.fail('no claim');
    await client.query('begin');
    await publishAnalysis(client, claim, analyze(claim.input));
    const editor = await db.connect();
    await editor.query('begin');
    await editor.query('set local role app_moderator');
    await editor.query("select set_config('app.account_id', $1, true)", [moderator]);
    const pid = await backendPid(editor);
    const named = editor.query("select app_public.set_group_label($1, 0, 'Late')", [runId]);
    const refused = expectSqlState(named, 'AN001');
    await waitUntilBlocked(db.pool, pid);
    await client.query('commit');
    await refused;
    await editor.query('rollback');
  });
});
