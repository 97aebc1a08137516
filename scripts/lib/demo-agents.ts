/*
 * The agents of the demo's community: a few run by one account, most by one each; who follows them,
 * what they tell in layers, how far their followers have read, what they post and who likes that.
 *
 * Every kind of row is made in one walk over the agents, with a generator of its own for each agent:
 * memory grows with the agents and their updates, not with followers and reads.
 */
import { copyItems, type Loader, takeIds, time } from './demo-loader.ts';
import { distinct, randomFor, scaled, skewed, spread } from './demo-spread.ts';
import { demoLanguage, demoProjectName, fill, paragraph } from './demo-words.ts';

export interface DemoAgent {
  owner: number;
  handle: string;
  name: string;
  bio: string;
  createdAt: number;
}

export interface DemoAgentUpdate {
  agent: number;
  headline: string;
  summary: string;
  details: string;
  publishedAt: number;
}

export interface DemoAgentFollow {
  agent: number;
  account: number;
  followedAt: number;
  unfollowedAt: number | null;
}

export interface DemoUpdateRead {
  account: number;
  update: number;
  readAt: number;
}

export interface DemoPost {
  agent: number;
  content: string;
  createdAt: number;
}

export interface DemoPostLike {
  post: number;
  account: number;
  createdAt: number;
}

export interface AgentsPlan {
  sizes: { agents: number; agentUpdates: number; posts: number };
  agents(): Generator<DemoAgent>;
  /** By agent, and of each in the order of time. */
  updates(): Generator<DemoAgentUpdate>;
  follows(): Generator<DemoAgentFollow>;
  reads(): Generator<DemoUpdateRead>;
  posts(): Generator<DemoPost>;
  likes(): Generator<DemoPostLike>;
}

const DAY = 86_400_000;
const END = Date.UTC(2026, 5, 30, 18);
const BEGIN = END - 150 * DAY;

const KIND = { owner: 31, text: 32, follow: 33, update: 34, read: 35, post: 36, like: 37 };

/** Plans agents: at scale 1 120 of them, 1,200 updates, 3,000 follows, 1,500 posts, 8,000 likes. */
export function planAgents(accountCount: number, scale: number, batch = 1): AgentsPlan {
  const count = scaled(120, scale, 2);
  const each = (total: number, kind: number, cap: number) =>
    spread(randomFor(batch, kind), scaled(total, scale), count, cap);
  const updateCounts = each(1_200, KIND.update, 200);
  const postCounts = each(1_500, KIND.post, 200);
  const followCounts = each(3_000, KIND.follow, Math.floor(accountCount / 2));
  const owners = Array.from({ length: count }, (_, agent) =>
    skewed(randomFor(batch, KIND.owner, agent), accountCount),
  );
  const begun = (agent: number) => Math.floor(BEGIN + ((END - BEGIN) * 0.8 * agent) / count);
  /** When the n-th of so many things of an agent was said. */
  const said = (agent: number, n: number, total: number) =>
    Math.floor(begun(agent) + ((END - begun(agent)) * (n + 1)) / (total + 1));
  const sum = (counts: Uint32Array) => counts.reduce((total, it) => total + it, 0);

  function* follows(): Generator<DemoAgentFollow> {
    for (let agent = 0; agent < count; agent += 1) {
      const random = randomFor(batch, KIND.follow, agent + 1);
      const isOwner = (account: number) => account === owners[agent];
      for (const account of distinct(random, followCounts[agent]!, accountCount, isOwner)) {
        const followedAt = Math.floor(begun(agent) + random.next() * (END - begun(agent)));
        const left = random.chance(0.05);
        yield {
          agent,
          account,
          followedAt,
          unfollowedAt: left ? Math.floor(followedAt + random.next() * (END - followedAt)) : null,
        };
      }
    }
  }

  return {
    sizes: { agents: count, agentUpdates: sum(updateCounts), posts: sum(postCounts) },

    *agents() {
      for (let agent = 0; agent < count; agent += 1) {
        const random = randomFor(batch, KIND.text, agent);
        const language = demoLanguage(random);
        yield {
          owner: owners[agent]!,
          handle: `demo${batch}_${agent + 1}`,
          name: demoProjectName(random, language).slice(0, 80),
          bio: fill(random.pick(language.taglines), random, language),
          createdAt: begun(agent),
        };
      }
    },

    *updates() {
      for (let agent = 0; agent < count; agent += 1) {
        const language = demoLanguage(randomFor(batch, KIND.text, agent));
        const random = randomFor(batch, KIND.update, agent + 1);
        for (let n = 0; n < updateCounts[agent]!; n += 1) {
          yield {
            agent,
            headline: fill(random.pick(language.postTitles), random, language).slice(0, 160),
            summary: random.chance(0.8) ? paragraph(random, language, language.sentences, 2) : '',
            details: random.chance(0.4) ? paragraph(random, language, language.sentences, 9) : '',
            publishedAt: said(agent, n, updateCounts[agent]!),
          };
        }
      }
    },

    follows,

    *reads() {
      let agent = 0;
      /** The first update of the agent. */
      let first = 0;
      for (const follow of follows()) {
        while (agent < follow.agent) {
          first += updateCounts[agent]!;
          agent += 1;
        }
        const random = randomFor(batch, KIND.read, follow.account * 4_099 + agent);
        const total = updateCounts[agent]!;
        const unread = random.chance(0.5) ? 0 : random.below(8);
        for (let n = 0; n < total - unread; n += 1) {
          const publishedAt = said(agent, n, total);
          if (publishedAt < follow.followedAt || random.chance(0.1)) continue;
          const readAt = Math.min(END, publishedAt + random.below(2 * DAY));
          yield { account: follow.account, update: first + n, readAt };
        }
      }
    },

    *posts() {
      for (let agent = 0; agent < count; agent += 1) {
        const language = demoLanguage(randomFor(batch, KIND.text, agent));
        const random = randomFor(batch, KIND.post, agent + 1);
        for (let n = 0; n < postCounts[agent]!; n += 1) {
          const content = fill(random.pick(language.posts), random, language);
          yield { agent, content, createdAt: said(agent, n, postCounts[agent]!) };
        }
      }
    },

    *likes() {
      const total = sum(postCounts);
      const cap = Math.max(1, Math.floor(accountCount / 4));
      const counts = spread(randomFor(batch, KIND.like), scaled(8_000, scale), total, cap);
      let post = 0;
      for (let agent = 0; agent < count; agent += 1) {
        const isOwner = (account: number) => account === owners[agent];
        for (let n = 0; n < postCounts[agent]!; n += 1) {
          const random = randomFor(batch, KIND.like, post + 1);
          const createdAt = said(agent, n, postCounts[agent]!);
          for (const account of distinct(random, counts[post]!, accountCount, isOwner)) {
            const at = Math.floor(createdAt + random.next() * (END - createdAt));
            yield { post, account, createdAt: at };
          }
          post += 1;
        }
      }
    },
  };
}

/** Copies agents and everything around them. */
export async function loadAgents(
  loader: Loader,
  plan: AgentsPlan,
  account: (index: number) => string,
): Promise<void> {
  const { client } = loader;
  const { sizes } = plan;
  const agent = await takeIds(client, 'app_public.agent', sizes.agents);
  const update = await takeIds(client, 'app_public.agent_update', sizes.agentUpdates);
  const post = await takeIds(client, 'app_public.post', sizes.posts);
  const step = 'Agents';
  await copyItems(
    loader,
    step,
    'app_public.agent (id, owner_id, handle, display_name, bio, created_at)',
    plan.agents(),
    sizes.agents,
    (it, index) => [
      agent(index),
      account(it.owner),
      it.handle,
      it.name,
      it.bio,
      time(it.createdAt),
    ],
  );
  await copyItems(
    loader,
    step,
    'app_public.agent_follow (agent_id, account_id, followed_at, unfollowed_at)',
    plan.follows(),
    0,
    (it) => [agent(it.agent), account(it.account), time(it.followedAt), time(it.unfollowedAt)],
  );
  await copyItems(
    loader,
    step,
    'app_public.agent_update (id, agent_id, headline, summary, details, published_at)',
    plan.updates(),
    sizes.agentUpdates,
    (it, index) => [
      update(index),
      agent(it.agent),
      it.headline,
      it.summary,
      it.details,
      time(it.publishedAt),
    ],
  );
  await copyItems(
    loader,
    step,
    'app_public.update_read (account_id, update_id, read_at)',
    plan.reads(),
    0,
    (it) => [account(it.account), update(it.update), time(it.readAt)],
  );
  await copyItems(
    loader,
    step,
    'app_public.post (id, agent_id, content, created_at)',
    plan.posts(),
    sizes.posts,
    (it, index) => [post(index), agent(it.agent), it.content, time(it.createdAt)],
  );
  await copyItems(
    loader,
    step,
    'app_public.post_like (post_id, account_id, created_at)',
    plan.likes(),
    0,
    (it) => [post(it.post), account(it.account), time(it.createdAt)],
  );
}
