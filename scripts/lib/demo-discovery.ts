/*
 * What the demo's community shows, collects and asks for: projects with upvotes, comments and
 * badges, chains with followers and forums, investors and intros.
 *
 * Only what others refer to is kept (an owner and a time for each project and chain); everything
 * else is made row by row, so memory does not grow with the upvotes. Indexes count from 0 within
 * their kind.
 */
import { distinct, randomFor, scaled, skewed, spread } from './demo-spread.ts';
import {
  capitalized,
  type DemoLanguage,
  demoLanguage,
  demoProjectName,
  fill,
  PLACES,
  paragraph,
  TAGS,
} from './demo-words.ts';

export interface DemoProfile {
  account: number;
  headline: string;
  bio: string;
  location: string;
  skills: string[];
  websiteUrl: string | null;
}

export interface DemoProject {
  owner: number;
  title: string;
  tagline: string;
  description: string;
  websiteUrl: string | null;
  tags: string[];
  createdAt: number;
  updatedAt: number | null;
  deletedAt: number | null;
}

export interface DemoUpvote {
  project: number;
  account: number;
  createdAt: number;
  withdrawnAt: number | null;
}

export interface DemoComment {
  project: number;
  author: number;
  /** Index of the comment that it replies to. */
  parent: number | null;
  content: string;
  createdAt: number;
  editedAt: number | null;
  deletedAt: number | null;
}

export interface DemoBadge {
  project: number;
  validator: number;
  kind: keyof typeof BADGE_POINTS;
  points: number;
  note: string;
  awardedAt: number;
  revokedAt: number | null;
}

export interface DemoChain {
  owner: number;
  slug: string;
  name: string;
  description: string;
  createdAt: number;
  deletedAt: number | null;
}

export interface DemoChainProject {
  chain: number;
  project: number;
  addedAt: number;
  removedAt: number | null;
}

export interface DemoChainFollow {
  chain: number;
  account: number;
  followedAt: number;
  unfollowedAt: number | null;
}

export interface DemoChainPost {
  chain: number;
  author: number;
  parent: number | null;
  title: string;
  content: string;
  createdAt: number;
  editedAt: number | null;
  deletedAt: number | null;
}

export interface DemoInvestor {
  account: number;
  name: string;
  headline: string;
  thesis: string;
  location: string;
  stages: string[];
  sectors: string[];
  minCheck: number;
  maxCheck: number;
  isOpen: boolean;
  createdAt: number;
}

export interface DemoIntro {
  project: number;
  investor: number;
  requester: number;
  recipient: number;
  message: string;
  state: 'requested' | 'accepted' | 'declined' | 'withdrawn' | 'expired';
  createdAt: number;
  expiresAt: number;
  endedAt: number | null;
  answer: string;
}

/** How many rows there are of each kind. */
export interface DiscoverySizes {
  profiles: number;
  projects: number;
  upvotes: number;
  comments: number;
  chains: number;
  chainProjects: number;
  chainFollows: number;
  chainPosts: number;
  investors: number;
  intros: number;
}

export interface DiscoveryPlan {
  sizes: DiscoverySizes;
  /** Accounts that award badges; neither guests nor the moderator, account 0. */
  validators: number[];
  profiles(): Generator<DemoProfile>;
  projects(): Generator<DemoProject>;
  upvotes(): Generator<DemoUpvote>;
  comments(): Generator<DemoComment>;
  badges(): Generator<DemoBadge>;
  chains(): Generator<DemoChain>;
  chainProjects(): Generator<DemoChainProject>;
  chainFollows(): Generator<DemoChainFollow>;
  chainPosts(): Generator<DemoChainPost>;
  investors(): Generator<DemoInvestor>;
  intros(): Generator<DemoIntro>;
}

const BADGE_POINTS = { demo: 10, source: 20, users: 40, revenue: 80, demerit: -30 };
const BADGE_SHARES: [keyof typeof BADGE_POINTS, number][] = [
  ['demo', 0.3],
  ['source', 0.18],
  ['users', 0.12],
  ['revenue', 0.05],
  ['demerit', 0.03],
];
const BADGE_NOTES = {
  demo: 'Ran it for an hour, on a phone and on a laptop.',
  source: 'Read the repository and built it from the sources.',
  users: 'Saw the list of schools that use it, and called two.',
  revenue: 'Saw the invoices of the last quarter.',
  demerit: 'The description names features that are not there yet.',
};
const STAGES = ['pre_seed', 'seed', 'series_a', 'series_b', 'growth'];

const DAY = 86_400_000;
const END = Date.UTC(2026, 5, 30, 18);
/** Accounts of the demo are older than this; what they made is younger. */
const BEGIN = END - 198 * DAY;

/** Each kind has random numbers of its own, so that one can change without the others. */
const KIND = {
  project: 1,
  projectText: 2,
  upvote: 3,
  comment: 4,
  badge: 5,
  chain: 6,
  chainText: 7,
  chainProject: 8,
  follow: 9,
  post: 10,
  investor: 11,
  intro: 12,
  profile: 13,
  spread: 14,
  language: 15,
};

/**
 * Plans discovery for a community: at scale 1 1,000 projects, 50,000 upvotes, 10,000 comments, 300
 * chains and what belongs to them. `isGuest` says which accounts show no projects of their own.
 */
export function planDiscovery(
  accountCount: number,
  isGuest: (account: number) => boolean,
  scale: number,
  batch = 1,
): DiscoveryPlan {
  const projectCount = scaled(1_000, scale, 4);
  const chainCount = scaled(300, scale, 2);
  const investorCount = Math.min(scaled(120, scale, 2), Math.floor(accountCount / 4));
  const validators = distinct(
    randomFor(batch, KIND.badge),
    Math.min(scaled(6, scale, 2), 200),
    accountCount,
    (candidate) => candidate === 0 || isGuest(candidate),
  );

  const owner = (kind: number, index: number) => {
    const random = randomFor(batch, kind, index);
    for (;;) {
      const candidate = skewed(random, accountCount);
      if (!isGuest(candidate)) return candidate;
    }
  };
  // Ever more of them: the later half of the projects came in the last third of the time.
  const begun = (index: number, count: number, random: () => number) => {
    const share = Math.sqrt((index + random()) / count);
    return Math.floor(BEGIN + share * (END - BEGIN - DAY));
  };
  const projectOwners = new Int32Array(projectCount);
  const projectTimes = new Float64Array(projectCount);
  for (let i = 0; i < projectCount; i += 1) {
    projectOwners[i] = owner(KIND.project, i);
    projectTimes[i] = begun(i, projectCount, randomFor(batch, KIND.project, -1 - i).next);
  }
  const chainOwners = new Int32Array(chainCount);
  const chainTimes = new Float64Array(chainCount);
  for (let i = 0; i < chainCount; i += 1) {
    chainOwners[i] = owner(KIND.chain, i);
    chainTimes[i] = begun(i, chainCount, randomFor(batch, KIND.chain, -1 - i).next);
  }
  const investorAccounts = distinct(
    randomFor(batch, KIND.investor),
    investorCount,
    accountCount,
    (candidate) => isGuest(candidate) || candidate === 0,
  );

  const crowd = Math.max(1, Math.floor(accountCount * 0.4));
  const counts = (kind: number, total: number, size: number, cap: number) =>
    spread(randomFor(batch, KIND.spread, kind), total, size, cap);
  const upvoteCounts = counts(KIND.upvote, scaled(50_000, scale), projectCount, crowd);
  const commentCounts = counts(KIND.comment, scaled(10_000, scale), projectCount, 2_000);
  const placeCounts = counts(
    KIND.chainProject,
    scaled(3_000, scale),
    chainCount,
    Math.min(200, Math.floor(projectCount * 0.4)),
  );
  const followCounts = counts(KIND.follow, scaled(6_000, scale), chainCount, crowd);
  const postCounts = counts(KIND.post, scaled(4_000, scale), chainCount, 4_000);
  const introCap = Math.max(1, Math.floor(projectCount * 0.2));
  const introCounts = counts(KIND.intro, scaled(800, scale), investorCount, introCap);
  const sum = (values: Uint32Array) => values.reduce((total, value) => total + value, 0);

  /** An account writes in one language, whatever it writes. */
  const languageOf = (account: number): DemoLanguage =>
    demoLanguage(randomFor(batch, KIND.language, account));
  const later = (at: number, share: number) => Math.floor(at + share * (END - at));

  /** A forum: texts in the order of time, of which some reply to earlier ones. */
  function* forum<T>(
    kind: number,
    counted: Uint32Array,
    times: Float64Array,
    replyShare: number,
    make: (text: {
      subject: number;
      author: number;
      parent: number | null;
      createdAt: number;
      editedAt: number | null;
      deletedAt: number | null;
      random: ReturnType<typeof randomFor>;
      language: DemoLanguage;
    }) => T,
  ): Generator<T> {
    let index = 0;
    for (let subject = 0; subject < counted.length; subject += 1) {
      const random = randomFor(batch, kind, subject);
      const count = counted[subject] as number;
      const begin = times[subject] as number;
      const threads: number[] = [];
      for (let n = 0; n < count; n += 1) {
        const share = (n + random.next()) / count;
        const createdAt = later(begin, share * share);
        const isReply = threads.length > 0 && random.chance(replyShare);
        const parent = isReply
          ? (threads[Math.floor(threads.length * Math.sqrt(random.next()))] as number)
          : null;
        if (parent === null) threads.push(index);
        const author = skewed(random, accountCount);
        const deleted = random.chance(0.02);
        yield make({
          subject,
          author,
          parent,
          createdAt,
          editedAt: !deleted && random.chance(0.03) ? later(createdAt, random.next()) : null,
          deletedAt: deleted ? later(createdAt, random.next()) : null,
          random,
          language: languageOf(author),
        });
        index += 1;
      }
    }
  }

  return {
    validators,
    sizes: {
      profiles: Math.ceil(accountCount * 0.7),
      projects: projectCount,
      upvotes: sum(upvoteCounts),
      comments: sum(commentCounts),
      chains: chainCount,
      chainProjects: sum(placeCounts),
      chainFollows: sum(followCounts),
      chainPosts: sum(postCounts),
      investors: investorCount,
      intros: sum(introCounts),
    },

    *profiles() {
      for (let account = 0; account < Math.ceil(accountCount * 0.7); account += 1) {
        const random = randomFor(batch, KIND.profile, account);
        const language = languageOf(account);
        yield {
          account,
          headline: random.pick(language.headlines),
          bio: random.chance(0.5) ? paragraph(random, language, language.sentences, 2) : '',
          location: random.pick(PLACES),
          skills: tags(random, 4),
          websiteUrl: random.chance(0.3) ? `https://people.example/${batch}-${account + 1}` : null,
        };
      }
    },

    *projects() {
      for (let i = 0; i < projectCount; i += 1) {
        const random = randomFor(batch, KIND.projectText, i);
        const language = languageOf(projectOwners[i] as number);
        const createdAt = projectTimes[i] as number;
        yield {
          owner: projectOwners[i] as number,
          title: demoProjectName(random, language),
          tagline: capitalized(fill(random.pick(language.taglines), random, language)),
          description: paragraph(random, language, language.sentences, 2 + random.below(4)),
          websiteUrl: random.chance(0.6) ? `https://projects.example/${batch}-${i + 1}` : null,
          tags: tags(random, 5),
          createdAt,
          updatedAt: random.chance(0.2) ? later(createdAt, random.next()) : null,
          deletedAt: random.chance(0.01) ? later(createdAt, random.next()) : null,
        };
      }
    },

    *upvotes() {
      for (let project = 0; project < projectCount; project += 1) {
        const random = randomFor(batch, KIND.upvote, project);
        const owner = projectOwners[project] as number;
        const begin = projectTimes[project] as number;
        const voters = distinct(
          random,
          upvoteCounts[project] as number,
          accountCount,
          (candidate) => candidate === owner,
        );
        for (const account of voters) {
          const share = random.next();
          const createdAt = later(begin, share * share);
          yield {
            project,
            account,
            createdAt,
            withdrawnAt: random.chance(0.02) ? later(createdAt, random.next()) : null,
          };
        }
      }
    },

    comments: () =>
      forum(KIND.comment, commentCounts, projectTimes, 0.4, (text) => {
        const { random, language, parent, deletedAt } = text;
        const frames = parent === null ? language.comments : language.replies;
        const { subject: project, author, createdAt, editedAt } = text;
        const written = fill(random.pick(frames), random, language);
        const content = deletedAt === null ? written : '';
        return { project, author, parent, content, createdAt, editedAt, deletedAt };
      }),

    *badges() {
      for (let project = 0; project < projectCount; project += 1) {
        const random = randomFor(batch, KIND.badge, project);
        for (const [kind, share] of BADGE_SHARES) {
          if (!random.chance(share)) continue;
          const validator = random.pick(validators);
          const awardedAt = later(projectTimes[project] as number, random.next());
          const revokedAt = random.chance(0.05) ? later(awardedAt, random.next()) : null;
          // Nobody judges their own.
          if (validator === projectOwners[project]) continue;
          const points = BADGE_POINTS[kind];
          yield { project, validator, kind, points, note: BADGE_NOTES[kind], awardedAt, revokedAt };
        }
      }
    },

    *chains() {
      for (let i = 0; i < chainCount; i += 1) {
        const random = randomFor(batch, KIND.chainText, i);
        const language = languageOf(chainOwners[i] as number);
        const tag = random.pick(TAGS);
        const word = /^[a-z ]+$/.test(tag) ? tag.replaceAll(' ', '-') : 'chain';
        const createdAt = chainTimes[i] as number;
        yield {
          owner: chainOwners[i] as number,
          slug: `${word}-${batch}-${i + 1}`,
          name: `${capitalized(tag)}${language.separator || ' '}${random.pick(language.endings)}`,
          description: paragraph(random, language, language.posts, 1),
          createdAt,
          deletedAt: random.chance(0.01) ? later(createdAt, random.next()) : null,
        };
      }
    },

    *chainProjects() {
      for (let chain = 0; chain < chainCount; chain += 1) {
        const random = randomFor(batch, KIND.chainProject, chain);
        const chosen = distinct(random, placeCounts[chain] as number, projectCount);
        for (const project of chosen) {
          const both = Math.max(chainTimes[chain] as number, projectTimes[project] as number);
          const addedAt = later(both, random.next());
          const removedAt = random.chance(0.03) ? later(addedAt, random.next()) : null;
          yield { chain, project, addedAt, removedAt };
        }
      }
    },

    *chainFollows() {
      for (let chain = 0; chain < chainCount; chain += 1) {
        const random = randomFor(batch, KIND.follow, chain);
        for (const account of distinct(random, followCounts[chain] as number, accountCount)) {
          const followedAt = later(chainTimes[chain] as number, random.next());
          const unfollowedAt = random.chance(0.05) ? later(followedAt, random.next()) : null;
          yield { chain, account, followedAt, unfollowedAt };
        }
      }
    },

    chainPosts: () =>
      forum(KIND.post, postCounts, chainTimes, 0.6, (text) => {
        const { random, language, parent, deletedAt } = text;
        const { subject: chain, author, createdAt, editedAt } = text;
        const title = fill(random.pick(language.postTitles), random, language);
        const content =
          parent === null
            ? paragraph(random, language, language.posts, 1 + random.below(2))
            : fill(random.pick(language.replies), random, language);
        return {
          chain,
          author,
          parent,
          title: parent === null && deletedAt === null ? title : '',
          content: deletedAt === null ? content : '',
          createdAt,
          editedAt,
          deletedAt,
        };
      }),

    *investors() {
      for (const [i, account] of investorAccounts.entries()) {
        const random = randomFor(batch, KIND.investor, i + 1);
        const language = languageOf(account);
        const first = random.below(STAGES.length - 1);
        const minCheck = 5_000 * (1 + random.below(20));
        yield {
          account,
          name: `${demoProjectName(random, language)} ${random.pick(['Capital', 'Ventures', 'Fund'])}`,
          headline: random.pick(language.theses),
          thesis: paragraph(random, language, language.theses, 2),
          location: random.pick(PLACES),
          stages: STAGES.slice(first, first + 1 + random.below(3)),
          sectors: tags(random, 5),
          minCheck,
          maxCheck: minCheck * (2 + random.below(40)),
          isOpen: random.chance(0.85),
          createdAt: Math.floor(BEGIN + random.next() * (END - BEGIN) * 0.5),
        };
      }
    },

    *intros() {
      for (const [investor, investorAccount] of investorAccounts.entries()) {
        const random = randomFor(batch, KIND.intro, investor);
        const chosen = distinct(
          random,
          introCounts[investor] as number,
          projectCount,
          (candidate) => projectOwners[candidate] === investorAccount,
        );
        for (const project of chosen) {
          const founder = projectOwners[project] as number;
          const byFounder = random.chance(0.8);
          const language = languageOf(byFounder ? founder : investorAccount);
          const createdAt = later(projectTimes[project] as number, random.next() * 0.9);
          const state = introState(random.next());
          const answered = state === 'accepted' || state === 'declined';
          const expiry = createdAt + 14 * DAY;
          const ended = state === 'expired' ? expiry : createdAt + random.next() * 14 * DAY;
          yield {
            project,
            investor,
            requester: byFounder ? founder : investorAccount,
            recipient: byFounder ? investorAccount : founder,
            message: fill(random.pick(language.messages), random, language),
            state,
            createdAt,
            // Open ones stay open: the demo is looked at long after its last day.
            expiresAt: state === 'requested' ? END + 3_650 * DAY : expiry,
            endedAt: state === 'requested' ? null : Math.floor(ended),
            answer: answered && random.chance(0.5) ? random.pick(language.replies) : '',
          };
        }
      }
    },
  };

  function tags(random: ReturnType<typeof randomFor>, most: number): string[] {
    return distinct(random, 1 + random.below(most), TAGS.length).map((it) => TAGS[it] as string);
  }
}

function introState(point: number): DemoIntro['state'] {
  if (point < 0.35) return 'requested';
  if (point < 0.6) return 'accepted';
  if (point < 0.8) return 'declined';
  return point < 0.88 ? 'withdrawn' : 'expired';
}
