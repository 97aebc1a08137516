/*
 * The requests of the endpoints benchmark, each in three forms: what a client sends to the API; the
 * statements that somebody would write by hand for the same answer from the derived relations; and
 * those for the same answer from the base tables alone.
 */

/** Rows on a page. One more is read by hand, as by the API, to know whether there is a next page. */
export const PAGE = 20;

export type EndpointName =
  | 'health'
  | 'feed-trending'
  | 'feed-newest'
  | 'feed-top-rated'
  | 'search'
  | 'leaderboard-projects'
  | 'leaderboard-builders'
  | 'chains'
  | 'dashboard-stats'
  | 'upvote';

/** What a statement written by hand is given: `null` for a visitor without an account. */
export type Parameter = 'account' | 'project' | 'query';

export interface Statement {
  text: string;
  parameters: readonly Parameter[];
}

export interface Endpoint {
  name: EndpointName;
  /** Who asks: everybody (visitors and accounts in turn), or accounts only. */
  audience: 'everybody' | 'accounts';
  /** The document; null: `GET /healthz`. */
  document: string | null;
  /** The variables of the document, by what they are given. */
  variables: Readonly<Record<string, Parameter>>;
  /** Where the answer has what a statement by hand returns; null: one object. */
  path: readonly string[];
  /** By hand, on the derived relations. */
  derived: readonly Statement[];
  /** By hand, on the base tables: counted, ranked and searched when asked. */
  live: readonly Statement[];
}

const FEED = `nodes {
      projectId title tagline tags ownerName upvoteCount commentCount badgeCount proofScore
      viewerHasUpvoted
    }
    pageInfo { hasNextPage endCursor }`;

const UPVOTED = `exists (
    select from app_public.project_upvote v
    where v.project_id = f.project_id and v.account_id = $1 and v.withdrawn_at is null
  ) as "viewerHasUpvoted"`;

const feedDerived = (column: string): Statement => ({
  text: `select f.project_id as "projectId", f.title, f.tagline, f.tags, f.owner_name as "ownerName",
  f.upvote_count as "upvoteCount", f.comment_count as "commentCount",
  f.badge_count as "badgeCount", f.proof_score as "proofScore",
  ${UPVOTED}
from app_public.feed_project f
order by f.${column} desc, f.project_id desc
limit ${PAGE + 1}`,
  parameters: ['account'],
});

/** What is counted of each project, in one pass over each table. */
const PROJECT_COUNTS = `upvotes as (
  select project_id, count(*) as n from app_public.project_upvote
  where withdrawn_at is null group by project_id
), comments as (
  select project_id, count(*) as n from app_public.project_comment
  where deleted_at is null group by project_id
), badges as (
  select project_id, count(*) as n, sum(points)::bigint as points from app_public.badge
  where revoked_at is null group by project_id
)`;

const feedLive = (order: string): Statement => ({
  text: `with ${PROJECT_COUNTS}
select f.*, ${UPVOTED}
from (
  select p.id as project_id, p.id as "projectId", p.title, p.tagline, p.tags,
    a.display_name as "ownerName", coalesce(u.n, 0) as "upvoteCount",
    coalesce(c.n, 0) as "commentCount", coalesce(b.n, 0) as "badgeCount",
    coalesce(b.points, 0) as "proofScore"
  from app_public.project p
  join app_public.account a on a.id = p.owner_id
  left join upvotes u on u.project_id = p.id
  left join comments c on c.project_id = p.id
  left join badges b on b.project_id = p.id
  where p.deleted_at is null
  order by ${order} desc, p.id desc
  limit ${PAGE + 1}
) f`,
  parameters: ['account'],
});

/** The newest need no counts for their order: counted for those that are shown. */
const NEWEST_LIVE: Statement = {
  text: `select f.*, ${UPVOTED},
  (select count(*) from app_public.project_upvote u
    where u.project_id = f.project_id and u.withdrawn_at is null) as "upvoteCount",
  (select count(*) from app_public.project_comment c
    where c.project_id = f.project_id and c.deleted_at is null) as "commentCount",
  (select count(*) from app_public.badge b
    where b.project_id = f.project_id and b.revoked_at is null) as "badgeCount",
  (select coalesce(sum(b.points), 0)::bigint from app_public.badge b
    where b.project_id = f.project_id and b.revoked_at is null) as "proofScore"
from (
  select p.id as project_id, p.id as "projectId", p.title, p.tagline, p.tags,
    a.display_name as "ownerName"
  from app_public.project p
  join app_public.account a on a.id = p.owner_id
  where p.deleted_at is null
  order by p.created_at desc, p.id desc
  limit ${PAGE + 1}
) f`,
  parameters: ['account'],
};

const TRENDING = `app_hidden.trending_score(
      p.created_at, coalesce(u.n, 0) + 2 * coalesce(c.n, 0) + coalesce(b.points, 0) / 10)`;

const feed = (name: EndpointName, field: string, column: string, live: Statement): Endpoint => ({
  name,
  audience: 'everybody',
  document: `{ ${field}(first: ${PAGE}) { ${FEED} } }`,
  variables: {},
  path: [field, 'nodes'],
  derived: [feedDerived(column)],
  live: [live],
});

const STATS = [
  'projectCount',
  'chainCount',
  'commentCount',
  'upvoteCount',
  'badgeCount',
  'proofScore',
  'followerCount',
  'unreadMessageCount',
  'pendingIntroCount',
].join(' ');

const TOGGLE: Statement = {
  text: `insert into app_public.project_upvote as u (account_id, project_id) values ($1, $2)
on conflict (project_id, account_id) do update
  set withdrawn_at = case when u.withdrawn_at is null then now() end`,
  parameters: ['account', 'project'],
};

export const ENDPOINTS: readonly Endpoint[] = [
  {
    name: 'health',
    audience: 'everybody',
    document: null,
    variables: {},
    path: [],
    derived: [],
    live: [],
  },
  feed('feed-trending', 'trendingProjects', 'trending_score', feedLive(TRENDING)),
  feed('feed-newest', 'newestProjects', 'created_at', NEWEST_LIVE),
  feed('feed-top-rated', 'topProjects', 'upvote_count', feedLive('coalesce(u.n, 0)')),
  {
    name: 'search',
    audience: 'everybody',
    document: `query ($query: String!) {
  search(query: $query, first: ${PAGE}) {
    nodes { kind subjectId title titleHighlight snippet }
    pageInfo { hasNextPage endCursor }
  }
}`,
    variables: { query: 'query' },
    path: ['search', 'nodes'],
    derived: [
      {
        text: `select s.kind, s.subject_id as "subjectId", s.title,
  app_public.search_result_title_highlight(s) as "titleHighlight",
  app_public.search_result_snippet(s) as snippet
from app_public.search($1) s
order by s.score desc, s.id
limit ${PAGE + 1}`,
        parameters: ['query'],
      },
    ],
    // The full text search that Postgres has, without what is not in it: beginnings of words, typos,
    // other scripts. So it is less than the same answer.
    live: [
      {
        text: `select s.kind, s."subjectId", s.title,
  pg_catalog.ts_headline('english', s.title, s.q) as "titleHighlight",
  pg_catalog.ts_headline('english', s.body, s.q) as snippet
from (
  select d.*, q,
    pg_catalog.ts_rank(
      setweight(to_tsvector('english', d.title), 'A') || to_tsvector('english', d.body), q) as score
  from (
    select 'project' as kind, p.id as "subjectId", p.title,
      concat_ws(' ', p.tagline, p.description, array_to_string(p.tags, ' ')) as body
    from app_public.project p where p.deleted_at is null
    union all
    select 'person', a.id, a.display_name, concat_ws(' ', f.headline, f.location, f.bio)
    from app_public.account a left join app_public.profile f on f.account_id = a.id
    where a.deleted_at is null and not a.is_guest and a.display_name is not null
    union all
    select 'chain', c.id, c.name, c.description from app_public.chain c where c.deleted_at is null
    union all
    select 'post', p.id, p.title, p.content from app_public.chain_post p
    where p.parent_id is null and p.deleted_at is null
    union all
    select 'investor', i.id, i.name, concat_ws(' ', i.headline, i.thesis)
    from app_public.investor i where i.deleted_at is null
  ) d, websearch_to_tsquery('english', $1) q
  where to_tsvector('english', d.title || ' ' || d.body) @@ q
  order by score desc
  limit ${PAGE + 1}
) s`,
        parameters: ['query'],
      },
    ],
  },
  {
    name: 'leaderboard-projects',
    audience: 'everybody',
    document: `{ projectLeaderboard(first: ${PAGE}) {
  nodes { projectId rank points title tagline ownerName upvoteCount proofScore viewerHasUpvoted }
  pageInfo { hasNextPage endCursor }
} }`,
    variables: {},
    path: ['projectLeaderboard', 'nodes'],
    derived: [
      {
        text: `select f.project_id as "projectId", f.rank, f.points, f.title, f.tagline,
  f.owner_name as "ownerName", f.upvote_count as "upvoteCount", f.proof_score as "proofScore",
  ${UPVOTED}
from app_private.leaderboard_project f
order by f.rank, f.project_id
limit ${PAGE + 1}`,
        parameters: ['account'],
      },
    ],
    live: [
      {
        text: `with ${PROJECT_COUNTS}
select f.*, ${UPVOTED}
from (
  select p.id as project_id, p.id as "projectId",
    rank() over (order by coalesce(u.n, 0) + coalesce(b.points, 0) desc) as rank,
    coalesce(u.n, 0) + coalesce(b.points, 0) as points, p.title, p.tagline,
    a.display_name as "ownerName", coalesce(u.n, 0) as "upvoteCount",
    coalesce(b.points, 0) as "proofScore"
  from app_public.project p
  join app_public.account a on a.id = p.owner_id
  left join upvotes u on u.project_id = p.id
  left join badges b on b.project_id = p.id
  where p.deleted_at is null
  order by rank, p.id
  limit ${PAGE + 1}
) f`,
        parameters: ['account'],
      },
    ],
  },
  {
    name: 'leaderboard-builders',
    audience: 'everybody',
    document: `{ builderLeaderboard(first: ${PAGE}) {
  nodes { accountId rank points displayName headline upvoteCount proofScore projectCount }
  pageInfo { hasNextPage endCursor }
} }`,
    variables: {},
    path: ['builderLeaderboard', 'nodes'],
    derived: [
      {
        text: `select l.account_id as "accountId", l.rank, l.points, l.display_name as "displayName",
  l.headline, l.upvote_count as "upvoteCount", l.proof_score as "proofScore",
  l.project_count as "projectCount"
from app_private.leaderboard_builder l
order by l.rank, l.account_id
limit ${PAGE + 1}`,
        parameters: [],
      },
    ],
    live: [
      {
        text: `with ${PROJECT_COUNTS}, builders as (
  select p.owner_id, count(*) as projects, sum(coalesce(u.n, 0))::bigint as upvotes,
    sum(coalesce(b.points, 0))::bigint as points
  from app_public.project p
  left join upvotes u on u.project_id = p.id
  left join badges b on b.project_id = p.id
  where p.deleted_at is null
  group by p.owner_id
)
select a.id as "accountId", rank() over (order by b.upvotes + b.points desc) as rank,
  b.upvotes + b.points as points, a.display_name as "displayName",
  coalesce(f.headline, '') as headline, b.upvotes as "upvoteCount", b.points as "proofScore",
  b.projects as "projectCount"
from builders b
join app_public.account a on a.id = b.owner_id
left join app_public.profile f on f.account_id = a.id
where a.deleted_at is null
order by rank, a.id
limit ${PAGE + 1}`,
        parameters: [],
      },
    ],
  },
  {
    name: 'chains',
    audience: 'everybody',
    document: `{ activeChains(first: ${PAGE}) {
  nodes {
    chainId slug name summary ownerName projectCount followerCount postCount replyCount viewerFollows
  }
  pageInfo { hasNextPage endCursor }
} }`,
    variables: {},
    path: ['activeChains', 'nodes'],
    derived: [
      {
        text: `select c.chain_id as "chainId", c.slug, c.name, c.summary, c.owner_name as "ownerName",
  c.project_count as "projectCount", c.follower_count as "followerCount",
  c.post_count as "postCount", c.reply_count as "replyCount",
  exists (
    select from app_public.chain_follow v
    where v.chain_id = c.chain_id and v.account_id = $1 and v.unfollowed_at is null
  ) as "viewerFollows"
from app_public.chain_discovery c
order by c.activity_score desc, c.chain_id desc
limit ${PAGE + 1}`,
        parameters: ['account'],
      },
    ],
    live: [
      {
        text: `with projects as (
  select cp.chain_id, count(*) as n from app_public.chain_project cp
  join app_public.project p on p.id = cp.project_id
  where cp.removed_at is null and p.deleted_at is null group by cp.chain_id
), followers as (
  select chain_id, count(*) as n from app_public.chain_follow
  where unfollowed_at is null group by chain_id
), posts as (
  select chain_id, count(*) filter (where parent_id is null) as posts,
    count(*) filter (where parent_id is not null) as replies, max(created_at) as last_at
  from app_public.chain_post where deleted_at is null group by chain_id
)
select c.id as "chainId", c.slug, c.name, pg_catalog.left(c.description, 300) as summary,
  a.display_name as "ownerName", coalesce(p.n, 0) as "projectCount",
  coalesce(f.n, 0) as "followerCount", coalesce(t.posts, 0) as "postCount",
  coalesce(t.replies, 0) as "replyCount",
  exists (
    select from app_public.chain_follow v
    where v.chain_id = c.id and v.account_id = $1 and v.unfollowed_at is null
  ) as "viewerFollows"
from app_public.chain c
join app_public.account a on a.id = c.owner_id
left join projects p on p.chain_id = c.id
left join followers f on f.chain_id = c.id
left join posts t on t.chain_id = c.id
where c.deleted_at is null
order by app_hidden.trending_score(
  greatest(c.created_at, t.last_at),
  coalesce(f.n, 0) + coalesce(p.n, 0) + coalesce(t.posts, 0) + coalesce(t.replies, 0)
) desc, c.id desc
limit ${PAGE + 1}`,
        parameters: ['account'],
      },
    ],
  },
  {
    name: 'dashboard-stats',
    audience: 'accounts',
    document: `{ currentAccount { stats { ${STATS} } } }`,
    variables: {},
    path: ['currentAccount', 'stats'],
    // Stored counters: less than a second old, where the API's are exact.
    derived: [
      {
        text: `select a.project_count as "projectCount", a.chain_count as "chainCount",
  a.comment_count as "commentCount", a.upvote_count as "upvoteCount",
  a.badge_count as "badgeCount", a.proof_score as "proofScore",
  a.follower_count as "followerCount",
  (select count(*) from app_hidden.direct_unread u
    join app_public.direct_member m
      on m.account_id = u.account_id and m.conversation_id = u.conversation_id
    where u.account_id = a.id and m.left_at is null) as "unreadMessageCount",
  coalesce(s.received_requested_count, 0) as "pendingIntroCount"
from app_public.account a
left join app_public.intro_request_stats s on s.account_id = a.id
where a.id = $1 and a.deleted_at is null`,
        parameters: ['account'],
      },
    ],
    live: [
      {
        text: `select
  (select count(*) from app_public.project p
    where p.owner_id = a.id and p.deleted_at is null) as "projectCount",
  (select count(*) from app_public.chain c
    where c.owner_id = a.id and c.deleted_at is null) as "chainCount",
  (select count(*) from app_public.project_comment c
    where c.author_id = a.id and c.deleted_at is null) as "commentCount",
  (select count(*) from app_public.project p join app_public.project_upvote u on u.project_id = p.id
    where p.owner_id = a.id and p.deleted_at is null and u.withdrawn_at is null) as "upvoteCount",
  (select count(*) from app_public.project p join app_public.badge b on b.project_id = p.id
    where p.owner_id = a.id and p.deleted_at is null and b.revoked_at is null) as "badgeCount",
  (select coalesce(sum(b.points), 0)::bigint
    from app_public.project p join app_public.badge b on b.project_id = p.id
    where p.owner_id = a.id and p.deleted_at is null and b.revoked_at is null) as "proofScore",
  (select count(distinct f.account_id)
    from app_public.chain c join app_public.chain_follow f on f.chain_id = c.id
    where c.owner_id = a.id and c.deleted_at is null
      and f.unfollowed_at is null) as "followerCount",
  (select count(*) from app_hidden.direct_unread u
    join app_public.direct_member m
      on m.account_id = u.account_id and m.conversation_id = u.conversation_id
    where u.account_id = a.id and m.left_at is null) as "unreadMessageCount",
  (select count(*) from app_public.intro_request r
    where r.recipient_id = a.id and r.state = 'requested') as "pendingIntroCount"
from app_public.account a
where a.id = $1 and a.deleted_at is null`,
        parameters: ['account'],
      },
    ],
  },
  {
    name: 'upvote',
    audience: 'accounts',
    document: `mutation ($project: BigInt!) {
  toggleUpvote(input: { projectId: $project }) { result { upvoteCount viewerHasUpvoted } }
}`,
    variables: { project: 'project' },
    path: ['toggleUpvote', 'result'],
    derived: [
      TOGGLE,
      {
        text: `select p.upvote_count as "upvoteCount", exists (
    select from app_public.project_upvote v
    where v.project_id = p.id and v.account_id = $1 and v.withdrawn_at is null
  ) as "viewerHasUpvoted"
from app_public.project p where p.id = $2`,
        parameters: ['account', 'project'],
      },
    ],
    live: [
      TOGGLE,
      {
        text: `select count(*) as "upvoteCount",
  coalesce(bool_or(u.account_id = $1), false) as "viewerHasUpvoted"
from app_public.project_upvote u where u.project_id = $2 and u.withdrawn_at is null`,
        parameters: ['account', 'project'],
      },
    ],
  },
];
