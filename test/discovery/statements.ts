import fc from 'fast-check';
import type { TestDatabase } from '../lib/database.ts';

/* Random statements as an owner may write them, over a small world made for them. */

export const ACCOUNTS = 6;
export const PROJECTS = 5;
export const CHAINS = 3;

/** The accounts, projects, chains and investors that the statements name by number, from 1 on. */
export async function createSmallWorld(db: TestDatabase): Promise<void> {
  await db.pool.query(`
    insert into app_public.account (display_name)
      select 'a' || i from generate_series(1, ${ACCOUNTS}) i;
    insert into app_public.project (owner_id, title)
      select i, 'p' || i from generate_series(1, ${PROJECTS}) i;
    insert into app_public.chain (owner_id, slug, name)
      select i, 'c' || i, 'c' || i from generate_series(1, ${CHAINS}) i;
    insert into app_public.investor (account_id, name)
      select i, 'i' || i from generate_series(4, ${ACCOUNTS}) i;
  `);
}

const account = fc.integer({ min: 1, max: ACCOUNTS });
const project = fc.integer({ min: 1, max: PROJECTS });
const chain = fc.integer({ min: 1, max: CHAINS });
const kind = fc.constantFrom('demo', 'source', 'users', 'revenue', 'demerit');
const set = fc.boolean().map((on) => (on ? 'now()' : 'null'));

export const statement = fc.oneof(
  fc.tuple(project, account, set).map(
    ([p, a, at]) => `insert into app_public.project_upvote (project_id, account_id, withdrawn_at)
        values (${p}, ${a}, ${at})
        on conflict (project_id, account_id) do update set withdrawn_at = excluded.withdrawn_at`,
  ),
  project.map(
    (p) => `insert into app_public.project_upvote (project_id, account_id)
      select ${p}, id from app_public.account on conflict do nothing`,
  ),
  account.map((a) => `delete from app_public.project_upvote where account_id = ${a}`),
  fc.tuple(project, account, fc.boolean()).map(
    ([p, a, reply]) => `insert into app_public.project_comment
        (project_id, author_id, parent_id, content)
        values (${p}, ${a}, ${
          reply
            ? `(select max(id) from app_public.project_comment
              where project_id = ${p} and parent_id is null)`
            : 'null'
        }, 'c')`,
  ),
  fc.tuple(project, account).map(
    ([p, a]) => `update app_public.project_comment set content = '', deleted_at = now()
        where project_id = ${p} and author_id = ${a} and deleted_at is null`,
  ),
  fc.integer({ min: 0, max: 3 }).map(
    (n) => `delete from app_public.project_comment
      where id in (select id from app_public.project_comment order by id limit ${n})`,
  ),
  fc.tuple(project, kind).map(
    ([p, k]) => `insert into app_public.badge (project_id, validator_id, kind, points)
        values (${p}, 1, '${k}', app_hidden.badge_points('${k}')) on conflict do nothing`,
  ),
  fc.tuple(project, set).map(
    ([p, at]) => `update app_public.badge set revoked_at = now()
        where project_id = ${p} and ${at} is not null and revoked_at is null`,
  ),
  fc
    .tuple(project, set)
    .map(([p, at]) => `update app_public.project set deleted_at = ${at} where id = ${p}`),
  fc
    .tuple(project, account)
    .map(([p, a]) => `update app_public.project set owner_id = ${a} where id = ${p}`),
  fc
    .tuple(chain, set)
    .map(([c, at]) => `update app_public.chain set deleted_at = ${at} where id = ${c}`),
  fc.tuple(chain, project, set).map(
    ([c, p, at]) => `insert into app_public.chain_project
        (chain_id, project_id, added_by_id, removed_at) values (${c}, ${p}, 1, ${at})
        on conflict (chain_id, project_id) do update set removed_at = excluded.removed_at`,
  ),
  fc.tuple(chain, account, set).map(
    ([c, a, at]) => `insert into app_public.chain_follow (chain_id, account_id, unfollowed_at)
        values (${c}, ${a}, ${at})
        on conflict (chain_id, account_id) do update set unfollowed_at = excluded.unfollowed_at`,
  ),
  fc.tuple(chain, account, fc.boolean()).map(([c, a, reply]) =>
    reply
      ? `insert into app_public.chain_post (chain_id, author_id, parent_id, content)
          select chain_id, ${a}, id, 'r' from app_public.chain_post
          where chain_id = ${c} and parent_id is null limit 2`
      : `insert into app_public.chain_post (chain_id, author_id, title, content)
          values (${c}, ${a}, 't', 'p')`,
  ),
  chain.map(
    (c) => `update app_public.chain_post set title = '', content = '', deleted_at = now()
      where chain_id = ${c} and deleted_at is null and id % 2 = 0`,
  ),
  fc
    .tuple(project, fc.constantFrom(1, 2, 3), fc.constantFrom('accepted', 'declined', 'expired'))
    .map(
      ([p, i, state]) => `insert into app_public.intro_request
        (project_id, investor_id, requester_id, recipient_id, message, state, ended_at)
        values (${p}, ${i}, 1, 2, 'm', '${state}', now()) on conflict do nothing`,
    ),
  fc
    .constantFrom(1, 2, 3)
    .map((i) => `delete from app_public.intro_request where investor_id = ${i}`),
);

/** Statements that change what lists show beside the counts: names, texts, profiles. */
export const renaming = fc.oneof(
  fc
    .tuple(account, fc.constantFrom('Ann', 'Ben', 'Zoë'))
    .map(([a, name]) => `update app_public.account set display_name = '${name}' where id = ${a}`),
  fc
    .tuple(account, set)
    .map(([a, at]) => `update app_public.account set deleted_at = ${at} where id = ${a}`),
  fc.tuple(account, fc.constantFrom('sql', 'wood')).map(
    ([a, skill]) => `insert into app_public.profile (account_id, headline, skills)
        values (${a}, 'Likes ${skill}', '{${skill}}')
        on conflict (account_id) do update
          set headline = excluded.headline, skills = excluded.skills`,
  ),
  fc
    .tuple(project, fc.constantFrom('Kettle', 'Wind mill'))
    .map(([p, title]) => `update app_public.project set title = '${title}' where id = ${p}`),
  fc
    .tuple(chain, fc.constantFrom('Tools', 'Food'))
    .map(([c, name]) => `update app_public.chain set name = '${name}' where id = ${c}`),
  chain.map(
    (c) => `update app_public.chain_post set content = content || '.', edited_at = now()
      where chain_id = ${c} and deleted_at is null`,
  ),
  fc
    .tuple(fc.constantFrom(1, 2, 3), set)
    .map(([i, at]) => `update app_public.investor set deleted_at = ${at} where id = ${i}`),
);
