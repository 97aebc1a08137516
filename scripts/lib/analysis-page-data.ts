import type { PlotPoint } from './analysis-plot.ts';

/*
 * What the page of an analysis shows, asked of the GraphQL API as any client would.
 */

export interface GroupVotes {
  groupKey: number;
  agreeCount: number;
  disagreeCount: number;
  passCount: number;
}

export interface Opinion {
  content: string;
  groupVotes: GroupVotes[];
}

interface Voted {
  direction: 'agree' | 'disagree';
  successCount: number;
  voteCount: number;
  opinion: Opinion;
}

export interface Analysed {
  topic: string;
  description: string;
  /** Null before the first. */
  analysis: {
    outcome: string;
    readAt: string;
    voteCount: number;
    opinionCount: number;
    participantCount: number;
    groups: { key: number; label: string; size: number; representatives: Voted[] }[];
    consensus: Voted[];
  } | null;
  lists: { agreed: Opinion[]; divisive: Opinion[] };
  /** At most MAX_POINTS; their order says nothing of who they are, so the first are as good as any. */
  points: PlotPoint[];
}

/** More would only make the page heavy. */
const MAX_POINTS = 5_000;
/** Largest page of the API, and pages asked for at once: below its limit of objects. */
const PAGE = 100;
const PAGES_AT_ONCE = 10;
/** How often another analysis may be published while this one is read. */
const ATTEMPTS = 3;

const OPINION =
  'content opinionAnalysis { groupVotes { groupKey agreeCount disagreeCount passCount } }';

const OVERVIEW = `query ($id: BigInt!) {
  conversation(id: $id) {
    topic
    description
    agreedOpinions(first: 10) { nodes { opinion { ${OPINION} } } }
    divisiveOpinions(first: 10) { nodes { opinion { ${OPINION} } } }
    analysis {
      id outcome readAt voteCount opinionCount participantCount
      groups(first: 6) { nodes {
        key label size
        representativeOpinions(first: 5) { nodes {
          direction isSelected successCount voteCount opinion { content }
        } }
      } }
      consensusOpinions(first: 10) { nodes {
        direction successCount voteCount opinion { ${OPINION} }
      } }
    }
  }
}`;

interface ApiOpinion {
  content: string;
  opinionAnalysis?: { groupVotes: GroupVotes[] } | null;
}

interface ApiVoted {
  direction: 'agree' | 'disagree';
  isSelected?: boolean;
  successCount: number;
  voteCount: number;
  /** Null for one that a moderator has hidden since. */
  opinion: ApiOpinion | null;
}

interface Nodes<T> {
  nodes: T[];
}

interface Overview {
  conversation: {
    topic: string;
    description: string;
    agreedOpinions: Nodes<{ opinion: ApiOpinion | null }>;
    divisiveOpinions: Nodes<{ opinion: ApiOpinion | null }>;
    analysis: {
      id: string;
      outcome: string;
      readAt: string;
      voteCount: number;
      opinionCount: number;
      participantCount: number;
      groups: Nodes<{
        key: number;
        label: string;
        size: number;
        representativeOpinions: Nodes<ApiVoted>;
      }>;
      consensusOpinions: Nodes<ApiVoted>;
    } | null;
  } | null;
}

/** The API to ask, and what to send along. */
export interface Api {
  /** Without a path. */
  origin: string;
  headers: Record<string, string>;
}

/** The API has counted too many requests of whom the page is for. */
export class TooManyRequests extends Error {
  override name = 'TooManyRequests';
  /** Seconds to wait, as the API says it. */
  readonly retryAfter: string;

  constructor(retryAfter: string) {
    super('too many requests');
    this.retryAfter = retryAfter;
  }
}

/**
 * Reads an analysis from the API; null when there is no such conversation.
 *
 * @throws TooManyRequests
 */
export async function loadAnalysis(api: Api, id: string): Promise<Analysed | null> {
  for (let attempt = 1; ; attempt += 1) {
    const { conversation } = await ask<Overview>(api, OVERVIEW, { id });
    if (conversation === null) return null;
    const { analysis } = conversation;
    const points =
      analysis === null ? [] : await loadPoints(api, id, analysis.id, analysis.participantCount);
    // Another result has been published meanwhile: its points do not belong to these groups.
    if (points === null && attempt < ATTEMPTS) continue;
    return {
      topic: conversation.topic,
      description: conversation.description,
      analysis: analysis && {
        ...analysis,
        groups: analysis.groups.nodes.map(({ representativeOpinions, ...group }) => ({
          ...group,
          representatives: voted(representativeOpinions).filter(
            (it) => (it as ApiVoted).isSelected === true,
          ),
        })),
        consensus: voted(analysis.consensusOpinions),
      },
      lists: {
        agreed: opinions(conversation.agreedOpinions),
        divisive: opinions(conversation.divisiveOpinions),
      },
      points: points ?? [],
    };
  }
}

const opinionOf = ({ content, opinionAnalysis }: ApiOpinion): Opinion => ({
  content,
  groupVotes: opinionAnalysis?.groupVotes ?? [],
});

const voted = ({ nodes }: Nodes<ApiVoted>): Voted[] =>
  nodes.flatMap((it) => (it.opinion === null ? [] : [{ ...it, opinion: opinionOf(it.opinion) }]));

const opinions = ({ nodes }: Nodes<{ opinion: ApiOpinion | null }>): Opinion[] =>
  nodes.flatMap(({ opinion }) => (opinion === null ? [] : [opinionOf(opinion)]));

interface Positions {
  conversation: {
    analysis:
      | ({ id: string } & Record<string, Nodes<{ x: number; y: number; groupKey: number | null }>>)
      | null;
  } | null;
}

/** The points of one analysis; null when it is no longer the published one. */
async function loadPoints(
  api: Api,
  id: string,
  analysisId: string,
  participants: number,
): Promise<PlotPoint[] | null> {
  const starts: number[] = [];
  for (let at = 0; at < Math.min(participants, MAX_POINTS); at += PAGE) starts.push(at);
  const points: PlotPoint[] = [];
  for (let at = 0; at < starts.length; at += PAGES_AT_ONCE) {
    const pages = starts.slice(at, at + PAGES_AT_ONCE);
    const fields = pages.map(
      (start) =>
        `p${start}: positions(first: ${PAGE}, filter: { point: { greaterThanOrEqualTo: ${start} } })` +
        ' { nodes { x y groupKey } }',
    );
    const { conversation } = await ask<Positions>(
      api,
      `query ($id: BigInt!) { conversation(id: $id) { analysis { id ${fields.join(' ')} } } }`,
      { id },
    );
    const analysis = conversation?.analysis;
    if (analysis?.id !== analysisId) return null;
    for (const start of pages) {
      for (const { x, y, groupKey } of analysis[`p${start}`]?.nodes ?? []) {
        points.push({ x, y, group: groupKey });
      }
    }
  }
  return points;
}

async function ask<T>({ origin, headers }: Api, query: string, variables: object): Promise<T> {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  if (response.status === 429) {
    throw new TooManyRequests(response.headers.get('retry-after') ?? '60');
  }
  const { data, errors } = (await response.json()) as {
    data?: T;
    errors?: { message: string }[];
  };
  if (errors !== undefined || data === undefined || data === null) {
    throw new Error(`the API answers: ${errors?.[0]?.message ?? response.status}`);
  }
  return data;
}
