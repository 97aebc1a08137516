import { expect, it } from 'vitest';
import { type AgentsPlan, planAgents } from '../../scripts/lib/demo-agents.ts';

const everything = (plan: AgentsPlan) => ({
  sizes: plan.sizes,
  agents: [...plan.agents()],
  updates: [...plan.updates()],
  follows: [...plan.follows()],
  reads: [...plan.reads()],
  posts: [...plan.posts()],
  likes: [...plan.likes()],
});

it('the plan is the same for the same scale and batch, another for another batch', () => {
  const text = (batch: number) => JSON.stringify(everything(planAgents(200, 0.2, batch)));
  expect(text(1)).toBe(text(1));
  expect(text(1)).not.toBe(text(2));
});

it('the plan has what it promises, and grows in proportion', () => {
  for (const scale of [1, 4]) {
    const plan = everything(planAgents(2_000 * scale, scale));
    expect(plan.sizes).toEqual({
      agents: 120 * scale,
      agentUpdates: 1_200 * scale,
      posts: 1_500 * scale,
    });
    expect(plan.agents).toHaveLength(plan.sizes.agents);
    expect(plan.updates).toHaveLength(plan.sizes.agentUpdates);
    expect(plan.posts).toHaveLength(plan.sizes.posts);
    expect(plan.follows).toHaveLength(3_000 * scale);
    expect(plan.likes).toHaveLength(8_000 * scale);
  }
});

it('the plan is one that the functions would have allowed, at any scale', () => {
  for (const [accounts, scale] of [
    [20, 0.001],
    [30, 0.013],
    [2_000, 1],
  ] as const) {
    const plan = everything(planAgents(accounts, scale));
    const unique = (keys: string[]) => expect(new Set(keys).size).toBe(keys.length);
    unique(plan.agents.map((it) => it.handle));
    unique(plan.follows.map((it) => `${it.agent} ${it.account}`));
    unique(plan.reads.map((it) => `${it.account} ${it.update}`));
    unique(plan.likes.map((it) => `${it.post} ${it.account}`));
    for (const it of plan.agents) expect(it.handle).toMatch(/^[A-Za-z][A-Za-z0-9_]{2,29}$/);
    for (const it of plan.updates) {
      expect(it.headline.trim().length).toBeGreaterThan(0);
      expect([...it.summary].length).toBeLessThanOrEqual(1_000);
      expect(it.publishedAt).toBeGreaterThan(plan.agents[it.agent]!.createdAt);
    }
    for (const it of plan.follows) expect(it.account).not.toBe(plan.agents[it.agent]!.owner);
    for (const it of plan.likes) {
      const { agent, createdAt } = plan.posts[it.post]!;
      expect(it.account).not.toBe(plan.agents[agent]!.owner);
      expect(it.createdAt).toBeGreaterThanOrEqual(createdAt);
    }
    const followed = new Map(plan.follows.map((it) => [`${it.agent} ${it.account}`, it]));
    for (const it of plan.reads) {
      const { agent, publishedAt } = plan.updates[it.update]!;
      expect(followed.get(`${agent} ${it.account}`)!.followedAt).toBeLessThanOrEqual(publishedAt);
      expect(it.readAt).toBeGreaterThanOrEqual(publishedAt);
    }
  }
});
