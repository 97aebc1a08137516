/*
 * Who writes to whom in the demo's community: conversations of two and of groups, a few of them
 * hot, messages in the order of time across all of them, and readers who are not done reading.
 *
 * The messages are walked three times, always the same ones: to know how many each conversation
 * has, to find the last one that each member has read, and to write them. So no message is kept;
 * memory grows with the members alone.
 */
import type { Random } from './demo-random.ts';
import { distinct, randomFor, scaled, skewed } from './demo-spread.ts';
import { demoLanguage, fill } from './demo-words.ts';

export interface DemoDirectConversation {
  creator: number;
  /** The members' accounts; two of them are a conversation of two unless there is a title. */
  members: number[];
  title: string;
  createdAt: number;
}

export interface DemoDirectMember {
  conversation: number;
  account: number;
  joinedAt: number;
  leftAt: number | null;
  /** Index of the last message that it has read. */
  lastRead: number | null;
}

export interface DemoDirectMessage {
  conversation: number;
  sender: number;
  content: string;
  createdAt: number;
  editedAt: number | null;
  deletedAt: number | null;
  /** Accounts that have not read it. */
  unreadBy: number[];
}

export interface DemoBlock {
  blocker: number;
  blocked: number;
  createdAt: number;
}

export interface DemoSuspension {
  account: number;
  reason: string;
  createdAt: number;
  withdrawnAt: number | null;
}

export interface MessagingPlan {
  sizes: { directConversations: number; directMembers: number; directMessages: number };
  conversations(): Generator<DemoDirectConversation>;
  members(): Generator<DemoDirectMember>;
  /** In the order of time. */
  messages(): Generator<DemoDirectMessage>;
  blocks: DemoBlock[];
  suspensions: DemoSuspension[];
}

const DAY = 86_400_000;
const END = Date.UTC(2026, 5, 30, 18);
const BEGIN = END - 180 * DAY;

const KIND = {
  members: 21,
  walk: 22,
  text: 23,
  reading: 24,
  block: 25,
  suspension: 26,
  language: 15,
};

const GROUP_TITLES = [
  'Launch week',
  'Jardins partagés',
  'Reading group',
  'Taller de mapas',
  'Werkstatt',
  '讀書會',
  'Соседи',
  'Weekend ride',
];
const REASONS = ['Advertises in comments.', 'Insults others.', 'Several accounts for one person.'];

/**
 * Plans messaging for a community: at scale 1 2,500 conversations and 20,000 messages, 150 blocks
 * and 6 suspensions. `mayBeSuspended` leaves out moderators and validators.
 */
export function planMessaging(
  accountCount: number,
  mayBeSuspended: (account: number) => boolean,
  scale: number,
  batch = 1,
): MessagingPlan {
  const messageCount = scaled(20_000, scale);
  const wanted = scaled(2_500, scale, 2);

  // The members of conversation c are members[starts[c]] to members[starts[c + 1]].
  const starts = new Int32Array(wanted + 1);
  const isGroup = new Uint8Array(wanted);
  const drawn: number[] = [];
  const pairs = new Set<number>();
  let conversationCount = 0;
  for (let c = 0; c < wanted; c += 1) {
    const random = randomFor(batch, KIND.members, c);
    const group = random.chance(0.12);
    const size = group ? 3 + random.below(random.chance(0.1) ? 27 : 7) : 2;
    const chosen = distinct(random, Math.min(size, accountCount), accountCount);
    if (!group) {
      const key = Math.min(...chosen) * accountCount + Math.max(...chosen);
      if (pairs.has(key)) continue;
      pairs.add(key);
    }
    isGroup[conversationCount] = group ? 1 : 0;
    starts[conversationCount] = drawn.length;
    drawn.push(...chosen);
    conversationCount += 1;
  }
  starts[conversationCount] = drawn.length;
  const members = Int32Array.from(drawn);
  const begun = (c: number) => Math.floor(BEGIN + ((END - BEGIN) * 0.9 * c) / conversationCount);
  const hot = Math.max(1, Math.floor(conversationCount * 0.03));

  /** All messages in the order of time: which conversation, and which of its members. */
  function walk(visit: (index: number, c: number, member: number, at: number) => void): void {
    for (const step of steps()) visit(step.index, step.c, step.member, step.at);
  }
  function* steps(): Generator<{ index: number; c: number; member: number; at: number }> {
    const random = randomFor(batch, KIND.walk);
    for (let index = 0; index < messageCount; index += 1) {
      const share = (index + random.next()) / messageCount;
      const at = Math.floor(BEGIN + share * (END - BEGIN));
      const open = Math.min(conversationCount, Math.ceil((share / 0.9) * conversationCount) || 1);
      const c = pick(random, open);
      const member =
        (starts[c] as number) + random.below((starts[c + 1] as number) - (starts[c] as number));
      yield { index, c, member, at };
    }
  }
  /** Four of ten in the hot ones, which began first, three of ten in what began lately. */
  function pick(random: Random, open: number): number {
    const u = random.next();
    if (u < 0.4) return skewed(random, Math.min(hot, open));
    if (u < 0.7) {
      const v = random.next();
      return open - 1 - Math.floor(open * v * v * v);
    }
    return random.below(open);
  }

  // How many messages of its conversation each member has read, and the last of them.
  const total = new Int32Array(conversationCount);
  walk((_, c) => {
    total[c] = (total[c] as number) + 1;
  });
  const read = new Int32Array(members.length);
  const left = new Uint8Array(members.length);
  for (let c = 0; c < conversationCount; c += 1) {
    const random = randomFor(batch, KIND.reading, c);
    for (let m = starts[c] as number; m < (starts[c + 1] as number); m += 1) {
      const unread = random.chance(0.75) ? 0 : 1 + random.below(random.chance(0.1) ? 200 : 8);
      read[m] = Math.max(0, (total[c] as number) - unread);
      left[m] = isGroup[c] === 1 && random.chance(0.03) ? 1 : 0;
    }
  }
  const lastRead = new Int32Array(members.length).fill(-1);
  const seen = new Int32Array(conversationCount);
  walk((index, c) => {
    const ordinal = seen[c] as number;
    seen[c] = ordinal + 1;
    for (let m = starts[c] as number; m < (starts[c + 1] as number); m += 1) {
      if (ordinal === (read[m] as number) - 1) lastRead[m] = index;
    }
  });

  return {
    sizes: {
      directConversations: conversationCount,
      directMembers: members.length,
      directMessages: messageCount,
    },
    blocks: drawBlocks(accountCount, scale, batch),
    suspensions: drawSuspensions(accountCount, mayBeSuspended, scale, batch),

    *conversations() {
      for (let c = 0; c < conversationCount; c += 1) {
        yield {
          creator: members[starts[c] as number] as number,
          members: [...members.subarray(starts[c], starts[c + 1])],
          title: isGroup[c] === 1 ? (GROUP_TITLES[c % GROUP_TITLES.length] as string) : '',
          createdAt: begun(c),
        };
      }
    },

    *members() {
      for (let c = 0; c < conversationCount; c += 1) {
        for (let m = starts[c] as number; m < (starts[c + 1] as number); m += 1) {
          yield {
            conversation: c,
            account: members[m] as number,
            joinedAt: begun(c),
            leftAt: left[m] === 1 ? END : null,
            lastRead: (lastRead[m] as number) < 0 ? null : (lastRead[m] as number),
          };
        }
      }
    },

    *messages() {
      const random = randomFor(batch, KIND.text);
      const ordinals = new Int32Array(conversationCount);
      for (const { c, member, at } of steps()) {
        const ordinal = ordinals[c] as number;
        ordinals[c] = ordinal + 1;
        const sender = members[member] as number;
        const language = demoLanguage(
          randomFor(batch, KIND.language, members[starts[c] as number] as number),
        );
        const content = fill(random.pick(language.messages), random, language);
        const deleted = random.chance(0.02);
        const edited = !deleted && random.chance(0.02);
        const after = () => Math.min(END, at + random.below(600_000));
        const unreadBy: number[] = [];
        if (!deleted) {
          for (let m = starts[c] as number; m < (starts[c + 1] as number); m += 1) {
            if (m === member || left[m] === 1 || ordinal < (read[m] as number)) continue;
            unreadBy.push(members[m] as number);
          }
        }
        yield {
          conversation: c,
          sender,
          content: deleted ? '' : content,
          createdAt: Math.max(at, begun(c)),
          editedAt: edited ? after() : null,
          deletedAt: deleted ? after() : null,
          unreadBy,
        };
      }
    },
  };
}

function drawBlocks(accountCount: number, scale: number, batch: number): DemoBlock[] {
  const random = randomFor(batch, KIND.block);
  const known = new Set<number>();
  const blocks: DemoBlock[] = [];
  const count = Math.min(scaled(150, scale), accountCount);
  for (let i = 0; i < count; i += 1) {
    const [blocker = 0, blocked = 0] = distinct(random, 2, accountCount);
    const key = blocker * accountCount + blocked;
    const createdAt = Math.floor(BEGIN + random.next() * (END - BEGIN));
    if (known.has(key)) continue;
    known.add(key);
    blocks.push({ blocker, blocked, createdAt });
  }
  return blocks;
}

function drawSuspensions(
  accountCount: number,
  mayBeSuspended: (account: number) => boolean,
  scale: number,
  batch: number,
): DemoSuspension[] {
  const random = randomFor(batch, KIND.suspension);
  const count = Math.min(scaled(6, scale), Math.floor(accountCount / 10));
  const chosen = distinct(random, count, accountCount, (account) => !mayBeSuspended(account));
  return chosen.map((account) => {
    const createdAt = Math.floor(END - random.next() * 60 * DAY);
    const withdrawn = random.chance(0.4);
    return {
      account,
      reason: random.pick(REASONS),
      createdAt,
      withdrawnAt: withdrawn ? Math.floor(createdAt + random.next() * (END - createdAt)) : null,
    };
  });
}
