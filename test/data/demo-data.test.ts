import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { type DemoVote, planDemo } from '../../scripts/lib/demo-community.ts';
import { loadDemoData } from '../../scripts/lib/demo-data.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

const run = promisify(execFile);

describe('the plan', () => {
  it('is the same for the same scale and batch, another for another batch', () => {
    const whole = (batch: number) => {
      const { votes, ...plan } = planDemo(0.1, batch);
      return JSON.stringify([plan, [...votes()]]);
    };
    expect(whole(1)).toBe(whole(1));
    expect(whole(1)).not.toBe(whole(2));
  });

  it('grows with the scale', () => {
    const size = (scale: number) => {
      const plan = planDemo(scale);
      let votes = 0;
      for (const _ of plan.votes()) votes += 1;
      expect(Math.abs(votes / plan.expectedVotes - 1)).toBeLessThan(0.4);
      return { votes, opinions: plan.opinions.length, accounts: plan.accounts.length };
    };
    const [one, four] = [size(1), size(4)];
    expect(one.accounts * 4).toBe(four.accounts);
    expect(four.votes / one.votes).toBeGreaterThan(3.4);
    expect(four.votes / one.votes).toBeLessThan(4.6);
    expect(four.opinions / one.opinions).toBeGreaterThan(3);
  });

  it('has few hot conversations and many quiet ones, and groups that agree among themselves', () => {
    const plan = planDemo(1);
    const perConversation = new Map<number, number>();
    const hot: DemoVote[] = [];
    for (const vote of plan.votes()) {
      perConversation.set(vote.conversation, (perConversation.get(vote.conversation) ?? 0) + 1);
      if (vote.conversation === 0) hot.push(vote);
    }
    const sorted = [...perConversation.values()].sort((a, b) => b - a);
    const total = sorted.reduce((sum, count) => sum + count, 0);
    const share = (from: number, to: number) =>
      sorted.slice(from, to).reduce((sum, count) => sum + count, 0) / total;
    expect(sorted.length).toBe(plan.conversations.length);
    expect(share(0, 6)).toBeGreaterThan(0.55);
    expect(share(30, 60)).toBeLessThan(0.15);

    // The variance along the first principal axis is well above what independent votes have.
    expect(firstAxisShare(hot)).toBeGreaterThan(2 * firstAxisShare(shuffled(hot)));
  });

  /** Share of the variance on the first axis, by power iteration over the mean-centred votes. */
  function firstAxisShare(votes: DemoVote[]): number {
    const columns = new Map<number, number>();
    const rows = new Map<number, [number, number][]>();
    const sums: number[] = [];
    const counts: number[] = [];
    for (const { opinion, voter, choice } of votes) {
      const column = columns.get(opinion) ?? columns.size;
      columns.set(opinion, column);
      const value = choice === 'agree' ? 1 : choice === 'disagree' ? -1 : 0;
      sums[column] = (sums[column] ?? 0) + value;
      counts[column] = (counts[column] ?? 0) + 1;
      rows.set(voter, [...(rows.get(voter) ?? []), [column, value]]);
    }
    const centred = [...rows.values()].map((row) =>
      row.map(
        ([column, value]) =>
          [column, value - (sums[column] as number) / (counts[column] as number)] as const,
      ),
    );
    let axis =
      columns.size === 0 ? [] : Array.from({ length: columns.size }, (_, i) => 1 + (i % 7));
    let variance = 0;
    for (let i = 0; i < 60; i += 1) {
      const next = new Array<number>(columns.size).fill(0);
      for (const row of centred) {
        let dot = 0;
        for (const [column, value] of row) dot += value * (axis[column] as number);
        for (const [column, value] of row) next[column] = (next[column] as number) + dot * value;
      }
      variance = Math.hypot(...next);
      axis = next.map((value) => value / variance);
    }
    const total = centred.flat().reduce((sum, [, value]) => sum + value * value, 0);
    return variance / total;
  }

  /** The same choices of each opinion, dealt to its voters anew. */
  function shuffled(votes: DemoVote[]): DemoVote[] {
    const byOpinion = Map.groupBy(votes, ({ opinion }) => opinion);
    return [...byOpinion.values()].flatMap((group) =>
      group.map((vote, i) => ({
        ...vote,
        choice: (group[(i * 7919 + 13) % group.length] as DemoVote).choice,
      })),
    );
  }
});

describe('the loaded data', () => {
  let db: TestDatabase;
  const steps: string[] = [];

  beforeAll(async () => {
    db = await createTestDatabase();
  });
  afterAll(async () => {
    await db?.drop();
  });

  it('are what was planned, drained, and every counter is right', async () => {
    const result = await loadDemoData(db.connectionString, {
      scale: 0.05,
      onProgress: (step, done, total) => {
        expect(done).toBeLessThanOrEqual(total);
        if (steps.at(-1) !== step) steps.push(step);
      },
    });
    const plan = planDemo(0.05);
    const votes = [...plan.votes()];
    expect(result).toEqual({
      loaded: true,
      batch: 1,
      accounts: plan.accounts.length,
      conversations: plan.conversations.length,
      opinions: plan.opinions.length,
      votes: votes.length,
      projects: 50,
      upvotes: expect.any(Number),
      comments: 500,
      chains: 15,
      directMessages: 1000,
      agents: 6,
      agentUpdates: 60,
      telemetryEvents: 500,
      seconds: expect.any(Number),
    });
    expect(steps).toEqual([
      'Accounts',
      'Conversations',
      'Opinions',
      'Votes',
      'Projects',
      'Upvotes',
      'Comments',
      'Chains',
      'Investors',
      'Messages',
      'Agents',
      'Telemetry',
      'Statistics',
      'Counters',
      'Relations',
      'Logs',
    ]);

    const { rows: pending } = await db.pool.query(
      'select sum(pending_rows)::int as pending from millrace.status',
    );
    expect(pending[0].pending).toBe(0);
    // Recounted by the rules, not by the engine's definitions.
    const { rows } = await db.pool.query(`
      with counted as (
        select v.*, o.moderation
        from app_public.opinion_vote v join app_public.opinion o on o.id = v.opinion_id
        where v.cancelled_at is null and o.deleted_at is null
      )
      select c.id,
        (c.opinion_count, c.total_opinion_count, c.moderated_opinion_count,
          c.hidden_opinion_count, c.vote_count, c.total_vote_count, c.participant_count,
          c.total_participant_count)::text as stored,
        (
          (select count(*) from app_public.opinion o where o.conversation_id = c.id
            and o.deleted_at is null and o.moderation is null),
          (select count(*) from app_public.opinion o where o.conversation_id = c.id
            and o.deleted_at is null),
          (select count(*) from app_public.opinion o where o.conversation_id = c.id
            and o.deleted_at is null and o.moderation = 'moved'),
          (select count(*) from app_public.opinion o where o.conversation_id = c.id
            and o.deleted_at is null and o.moderation = 'hidden'),
          (select count(*) from counted v where v.conversation_id = c.id
            and v.moderation is null),
          (select count(*) from counted v where v.conversation_id = c.id),
          (select count(distinct voter_id) from counted v where v.conversation_id = c.id
            and v.moderation is null),
          (select count(distinct voter_id) from counted v where v.conversation_id = c.id)
        )::text as recounted
      from app_public.conversation c
    `);
    expect(rows.length).toBe(plan.conversations.length);
    for (const { stored, recounted } of rows) expect(stored).toBe(recounted);
    const { rows: opinions } = await db.pool.query(`
      select o.id from app_public.opinion o
      left join app_public.opinion_vote v on v.opinion_id = o.id and v.cancelled_at is null
      group by o.id
      having (o.agree_count, o.disagree_count, o.pass_count) <> (
        count(*) filter (where v.choice = 'agree'), count(*) filter (where v.choice = 'disagree'),
        count(*) filter (where v.choice = 'pass'))
    `);
    expect(opinions).toEqual([]);
    expect(votes.some(({ cancelledAt }) => cancelledAt !== null)).toBe(true);
  });

  it('keep the rules: moderations, authors, seeds, locks', async () => {
    const { rows } = await db.pool.query(`
      select
        (select count(*)::int from app_public.opinion o where o.moderation is distinct from (
          select m.action from app_public.opinion_moderation m
          where m.opinion_id = o.id and m.withdrawn_at is null)) as unexplained_moderations,
        (select count(*)::int from app_public.opinion o where not o.is_seed and not exists (
          select from app_public.opinion_vote v
          where v.opinion_id = o.id and v.voter_id = o.author_id and v.choice = 'agree'
        )) as opinions_without_agree,
        (select count(*)::int from app_public.conversation c
          where (c.locked_at is null) = exists (
            select from app_public.conversation_moderation m
            where m.conversation_id = c.id and m.action = 'locked' and m.withdrawn_at is null
          )) as unexplained_locks,
        (select count(*)::int from app_private.account_role where role = 'moderator') as moderators
    `);
    expect(rows[0]).toEqual({
      unexplained_moderations: 0,
      opinions_without_agree: 0,
      unexplained_locks: 0,
      moderators: 1,
    });
  });

  it('are not loaded twice, unless another batch is forced', async () => {
    const count = async () =>
      (await db.pool.query('select count(*)::int as n from app_public.account')).rows[0].n;
    const before = await count();
    expect(await loadDemoData(db.connectionString, { scale: 0.05 })).toMatchObject({
      loaded: false,
      batch: 1,
      votes: 0,
    });
    expect(await count()).toBe(before);
    const { stdout } = await run(
      process.execPath,
      ['scripts/demo-data.ts', '--scale', '0.02', '--force', '--json'],
      { cwd: ROOT, env: { ...process.env, DATABASE_URL: db.connectionString } },
    );
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ loaded: true, batch: 2 });
    expect(await count()).toBe(before + result.accounts);
  });

  it('are not loaded at a scale that is none', async () => {
    await expect(loadDemoData(db.connectionString, { scale: 0 })).rejects.toThrow(RangeError);
    await expect(
      run(process.execPath, ['scripts/demo-data.ts', '--scale', 'much'], { cwd: ROOT }),
    ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('More than 0') });
  });

  it('are all or nothing: an import that fails at the last table leaves nothing', async () => {
    const other = await createTestDatabase();
    try {
      await other.pool.query('alter table app_public.opinion_vote add check (cast_at is null)');
      await expect(loadDemoData(other.connectionString, { scale: 0.02 })).rejects.toMatchObject({
        code: '23514',
      });
      const { rows } = await other.pool.query('select count(*)::int as n from app_public.account');
      expect(rows[0].n).toBe(0);
    } finally {
      await other.drop();
    }
  });
});
