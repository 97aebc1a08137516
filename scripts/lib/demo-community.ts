/*
 * A made-up community, as real ones are: a few hot conversations and many quiet ones, a few people
 * who vote on everything and many who vote a few times, opinion groups that agree among themselves.
 *
 * Everything follows from the scale and the batch: the same numbers give the same rows, on every
 * machine (hence no Math.exp and the like, whose last digits differ). The work is linear in the
 * scale.
 */
import { createRandom, type Random } from './demo-random.ts';
import { type DemoTopic, demoName, demoTopic } from './demo-text.ts';

/** Indexes in a plan count from 0 within their kind; whoever loads it turns them into ids. */
export interface DemoAccount {
  name: string;
  guest: boolean;
  createdAt: number;
}

export interface DemoConversation {
  owner: number;
  title: string;
  description: string;
  createdAt: number;
  lockedAt: number | null;
  closedAt: number | null;
}

export interface DemoOpinion {
  conversation: number;
  author: number;
  content: string;
  seed: boolean;
  createdAt: number;
  deletedAt: number | null;
  moderation: DemoModeration | null;
}

export interface DemoModeration {
  action: 'moved' | 'hidden';
  at: number;
  /** Set when the opinion is visible again. */
  withdrawnAt: number | null;
}

export interface DemoVote {
  opinion: number;
  voter: number;
  conversation: number;
  choice: 'agree' | 'disagree' | 'pass';
  castAt: number;
  cancelledAt: number | null;
}

export interface DemoPlan {
  accounts: DemoAccount[];
  conversations: DemoConversation[];
  opinions: DemoOpinion[];
  /** The moderator's index among the accounts. */
  moderator: number;
  /** About how many votes there are: the unit of the progress. */
  expectedVotes: number;
  /** The votes, conversation by conversation; to be walked once. */
  votes(): Generator<DemoVote>;
}

/** What scale 1 has. */
const ACCOUNTS = 2_000;
const CONVERSATIONS = 60;
const PARTICIPATIONS = 6_500;
const VOTES_EACH = 13;

const DAY = 86_400_000;
/** The demo's "today"; fixed, so that two loads are equal. */
const END = Date.UTC(2026, 5, 30, 18);

interface Group {
  x: number;
  y: number;
}

interface Draft {
  index: number;
  topic: DemoTopic;
  participants: number[];
  groups: Group[];
  /** Index of its first opinion, and how many it has. */
  first: number;
  opinions: number;
}

/**
 * Plans the community of a scale: at 1 about 2,000 accounts, 60 conversations, 2,000 opinions and
 * 80,000 votes. Another batch is another community. The scale is a positive number.
 */
export function planDemo(scale: number, batch = 1): DemoPlan {
  const random = createRandom(batch * 7_919);
  const accountCount = Math.max(20, Math.round(ACCOUNTS * scale));
  const conversationCount = Math.max(3, Math.round(CONVERSATIONS * scale));

  const accounts: DemoAccount[] = [];
  for (let i = 0; i < accountCount; i += 1) {
    accounts.push({
      name: demoName(random),
      guest: random.chance(0.35),
      createdAt: END - Math.floor((200 + random.next() * 200) * DAY),
    });
  }

  const shares = zipfShares(conversationCount);
  const conversations: DemoConversation[] = [];
  const opinions: DemoOpinion[] = [];
  const drafts: Draft[] = [];
  for (let index = 0; index < conversationCount; index += 1) {
    const wanted = Math.round((shares[index] as number) * PARTICIPATIONS * scale);
    const size = Math.min(Math.max(2, wanted), Math.floor(accountCount * 0.6));
    const participants = drawParticipants(random, size, accountCount);
    const topic = demoTopic(random, index);
    const createdAt = END - Math.floor((5 + random.next() * 180) * DAY);
    const closed = random.chance(0.08);
    const locked = closed || random.chance(0.05);
    conversations.push({
      owner: participants[0] as number,
      title: topic.title,
      description: topic.description,
      createdAt,
      lockedAt: locked ? END - Math.floor(random.next() * 3 * DAY) : null,
      closedAt: closed ? END - Math.floor(random.next() * 2 * DAY) : null,
    });
    const draft: Draft = {
      index,
      topic,
      participants,
      groups: drawGroups(random),
      first: opinions.length,
      opinions: 4 + Math.round(Math.sqrt(size) * 3.5),
    };
    for (let n = 0; n < draft.opinions; n += 1) opinions.push(drawOpinion(random, draft, n));
    drafts.push(draft);
  }

  function drawOpinion(r: Random, draft: Draft, n: number): DemoOpinion {
    const begun = (conversations[draft.index] as DemoConversation).createdAt;
    const seed = n < 4;
    const createdAt = seed ? begun + n * 1000 : begun + Math.floor(r.next() * (END - begun) * 0.7);
    const later = () => createdAt + Math.floor(r.next() * (END - createdAt));
    const moderated = !seed && r.chance(0.06);
    return {
      conversation: draft.index,
      // Few write much: the first participants more often than the last.
      author: draft.participants[
        seed ? 0 : Math.floor(r.next() * r.next() * draft.participants.length)
      ] as number,
      content: draft.topic.statement(n),
      seed,
      createdAt,
      deletedAt: !seed && r.chance(0.015) ? later() : null,
      moderation: moderated ? drawModeration(r, createdAt) : null,
    };
  }

  return {
    accounts,
    conversations,
    opinions,
    moderator: 0,
    expectedVotes: Math.round(PARTICIPATIONS * scale * VOTES_EACH),
    *votes() {
      const voting = createRandom(batch * 104_729 + 1);
      for (const draft of drafts) yield* votesOf(voting, draft, opinions, conversations);
    },
  };
}

function drawModeration(random: Random, createdAt: number): DemoModeration {
  const at = createdAt + Math.floor(random.next() * (END - createdAt));
  return {
    action: random.chance(0.7) ? 'moved' : 'hidden',
    at,
    withdrawnAt: random.chance(0.2) ? at + Math.floor(random.next() * (END - at)) : null,
  };
}

/** Shares of a total that fall as rank to the power of -1.25: the first has a third of it. */
function zipfShares(count: number): number[] {
  const weights = Array.from({ length: count }, (_, index) => {
    const rank = index + 1;
    return 1 / (rank * Math.sqrt(Math.sqrt(rank)));
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Different accounts, the low numbers more often: the active core of the community. */
function drawParticipants(random: Random, size: number, accountCount: number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < size) {
    const u = random.next();
    chosen.add(Math.floor(accountCount * (random.chance(0.5) ? u * u * u : u)));
  }
  return [...chosen];
}

function drawGroups(random: Random): Group[] {
  const count = 2 + random.below(3);
  return Array.from({ length: count }, (_, g) => ({
    x: (g % 2 === 0 ? 1 : -1) * (0.6 + random.next() * 0.4),
    y: (g < 2 ? 0.2 : g === 2 ? 0.9 : -0.9) + (random.next() - 0.5) * 0.4,
  }));
}

/** The votes of one conversation: for each participant some of its opinions, each once. */
function* votesOf(
  random: Random,
  draft: Draft,
  opinions: DemoOpinion[],
  conversations: DemoConversation[],
): Generator<DemoVote> {
  const begun = (conversations[draft.index] as DemoConversation).createdAt;
  const traits = Array.from({ length: draft.opinions }, () => ({
    x: random.normal(),
    y: random.normal() * 0.6,
    appeal: 0.5 + random.normal() * 0.8,
    passes: 0.04 + random.next() * 0.14,
  }));
  const authored = new Map<number, number[]>();
  for (let n = 0; n < draft.opinions; n += 1) {
    const { author, seed } = opinions[draft.first + n] as DemoOpinion;
    if (seed) continue;
    const own = authored.get(author);
    if (own === undefined) authored.set(author, [n]);
    else own.push(n);
  }
  const order = Array.from({ length: draft.opinions }, (_, n) => n);

  for (const voter of draft.participants) {
    const group = random.pick(draft.groups);
    const x = group.x + random.normal() * 0.3;
    const y = group.y + random.normal() * 0.3;
    const arrived = begun + Math.floor(random.next() * (END - begun));
    // An author's agree is cast with the opinion.
    const own = authored.get(voter) ?? [];
    for (const n of own) {
      const { createdAt } = opinions[draft.first + n] as DemoOpinion;
      yield vote(n, 'agree', createdAt, null);
    }
    const wanted = howMany(random, draft.opinions);
    for (let taken = 0; taken < wanted; taken += 1) {
      // A shuffle only as far as it is needed: no opinion comes twice.
      const at = taken + random.below(order.length - taken);
      const n = order[at] as number;
      order[at] = order[taken] as number;
      order[taken] = n;
      if (own.includes(n)) continue;
      const { createdAt } = opinions[draft.first + n] as DemoOpinion;
      const castAt = Math.min(Math.max(arrived, createdAt) + (taken + 1) * 7_000, END);
      const cancelled = random.chance(0.015);
      yield vote(n, choose(n), castAt, cancelled ? Math.min(castAt + 60_000, END) : null);
    }

    function choose(n: number): DemoVote['choice'] {
      const trait = traits[n] as (typeof traits)[number];
      if (random.chance(trait.passes)) return 'pass';
      const leaning = 2.5 * (x * trait.x + y * trait.y) + trait.appeal;
      return random.next() * 2 < 1 + leaning / (1 + Math.abs(leaning)) ? 'agree' : 'disagree';
    }
    function vote(
      n: number,
      choice: DemoVote['choice'],
      castAt: number,
      cancelledAt: number | null,
    ): DemoVote {
      const opinion = draft.first + n;
      return { opinion, voter, conversation: draft.index, choice, castAt, cancelledAt };
    }
  }
}

/** How many opinions somebody votes on: a third stop early, few go on for long. */
function howMany(random: Random, opinions: number): number {
  const u = random.next();
  if (u < 0.35) return Math.min(opinions, 1 + random.below(5));
  if (u < 0.92) return Math.min(opinions, 6 + random.below(20));
  return Math.min(opinions, 26 + random.below(60));
}
