import { settle } from '../discovery/world.ts';
import type { TestDatabase } from '../lib/database.ts';

/** How many rows there are: enough for the planner to have a choice. */
export const ROWS = {
  accounts: 3000,
  projects: 4000,
  upvotes: 30_000,
  comments: 12_000,
  chains: 800,
  posts: 4000,
  investors: 600,
  intros: 1500,
};

/**
 * A made-up community, the same each time, with everything that is derived from it; the first of
 * everything has most of it. Account 1 is a founder with a part in all of it.
 */
export async function fillDiscovery(db: TestDatabase): Promise<void> {
  const n = ROWS;
  const client = await db.connect();
  try {
    await client.query(`
      create temporary table word as
        select row_number() over () - 1 as i, word from unnest(string_to_array($words$
          solar wind kettle water energy garden robot learning machine data graph source tools
          market health music video photo travel food kitchen school teacher reading writing voice
          agent cloud server network privacy wallet payment invoice contract team office lamp light
          camera sensor battery charger train drone weather climate carbon forest river soil seed
          plant animal doctor clinic sleep running climbing puzzle chess story movie theater dance
          song piano guitar studio mixer podcast forum newsletter calendar index queue stream model
          speech image sound simple tiny quiet brave golden silver copper stone paper glass wood
          cotton leather harbor island meadow canyon desert glacier lantern compass anchor beacon
          bridge tunnel castle tower engine rocket comet planet meteor nebula orbit signal pulse
        $words$, ' ')) word where word ~ '[a-z]';
      create function pg_temp.words(seed bigint, n integer) returns text language sql stable as $$
        select string_agg(w.word, ' ' order by k) from generate_series(1, n) k
        join word w on w.i = (hashint8extended(seed * 64 + k, 7) & 1048575)
          % (select count(*) from word)
      $$;
      create function pg_temp.pick(seed bigint, n integer, skew float) returns integer
        language sql immutable as $$
        select 1 + floor(power((hashint8extended(seed, 3) & 1048575) / 1048576.0, skew) * n)::int
      $$;`);
    await client.query(`
      insert into app_public.account (display_name)
        select initcap(pg_temp.words(i, 2)) || ' ' || i from generate_series(1, ${n.accounts}) i;
      insert into app_public.profile (account_id, headline, bio, skills)
        select id, pg_temp.words(id * 3, 5), pg_temp.words(id * 5, 20), array[pg_temp.words(id, 1)]
        from app_public.account where id % 2 = 0;
      insert into app_public.project (owner_id, title, tagline, description, tags, created_at)
        select pg_temp.pick(i, ${n.accounts}, 2), initcap(pg_temp.words(i * 7, 3)),
          pg_temp.words(i * 11, 8), pg_temp.words(i * 13, 30), array[pg_temp.words(i * 17, 1)],
          now() - i * interval '11 minutes'
        from generate_series(1, ${n.projects}) i;
      insert into app_public.project_upvote (project_id, account_id, created_at)
        select pg_temp.pick(i, ${n.projects}, 3), pg_temp.pick(i * 7, ${n.accounts}, 2),
          now() - i * interval '1 minute'
        from generate_series(1, ${n.upvotes}) i on conflict do nothing;
      insert into app_public.project_comment (project_id, author_id, content, created_at)
        select pg_temp.pick(i * 3, ${n.projects}, 3), pg_temp.pick(i * 11, ${n.accounts}, 2),
          'c' || i, now() - i * interval '1 minute'
        from generate_series(1, ${n.comments}) i;
      insert into app_public.project_comment (project_id, author_id, parent_id, content)
        select project_id, 1, id, 'r' from app_public.project_comment where id % 3 = 0;
      insert into app_public.badge (project_id, validator_id, kind, points)
        select id, 2, k, app_hidden.badge_points(k)
        from app_public.project, unnest('{demo,source,users}'::app_public.badge_kind[]) k
        where hashint8(id) % 4 = 0;
      insert into app_public.chain (owner_id, slug, name, description, created_at)
        select pg_temp.pick(i * 5, ${n.accounts}, 2), 'chain-' || i,
          initcap(pg_temp.words(i * 19, 2)), pg_temp.words(i * 23, 20),
          now() - i * interval '3 hours'
        from generate_series(1, ${n.chains}) i;
      insert into app_public.chain_project (chain_id, project_id, added_by_id, added_at)
        select pg_temp.pick(i * 13, ${n.chains}, 3), pg_temp.pick(i * 17, ${n.projects}, 2), 1,
          now() - i * interval '1 minute'
        from generate_series(1, 8000) i on conflict do nothing;
      insert into app_public.chain_follow (chain_id, account_id, followed_at)
        select pg_temp.pick(i * 19, ${n.chains}, 2), pg_temp.pick(i * 23, ${n.accounts}, 3),
          now() - i * interval '1 minute'
        from generate_series(1, 12000) i on conflict do nothing;
      insert into app_public.chain_post (chain_id, author_id, title, content, created_at)
        select pg_temp.pick(i * 29, ${n.chains}, 3), pg_temp.pick(i * 31, ${n.accounts}, 2),
          pg_temp.words(i * 29, 5), pg_temp.words(i * 31, 30), now() - i * interval '7 minutes'
        from generate_series(1, ${n.posts}) i;
      insert into app_public.chain_post (chain_id, author_id, parent_id, content, created_at)
        select p.chain_id, 1, p.id, 'r', p.created_at + k * interval '1 minute'
        from app_public.chain_post p, generate_series(1, 3) k where p.id % 3 = 0;
      insert into app_public.investor (account_id, name, headline, stages, sectors)
        select id, initcap(pg_temp.words(id * 37, 2)), pg_temp.words(id * 41, 6),
          array[(array['pre_seed', 'seed', 'growth'])[1 + id % 3]]::app_public.investor_stage[],
          array[pg_temp.words(id * 43, 1)]
        from app_public.account where id % 5 = 0 limit ${n.investors};
      insert into app_public.intro_request
        (project_id, investor_id, requester_id, recipient_id, message, state, ended_at, created_at)
        select p.id, i.id, p.owner_id, i.account_id, 'm',
          (array['requested', 'accepted', 'declined', 'withdrawn', 'expired'])[1 + k % 5]
            ::app_public.intro_state,
          case when k % 5 > 0 then now() end, now() - k * interval '1 minute'
        from generate_series(1, ${n.intros}) k
        join app_public.project p on p.id = pg_temp.pick(k * 3, ${n.projects}, 2)
        join app_public.investor i on i.id = pg_temp.pick(k * 7, ${n.investors}, 2)
        where i.account_id <> p.owner_id on conflict do nothing;`);
    await settle(db);
    await settle(db);
    // Recomputed rows leave their old versions behind, and plans go by what the statistics say.
    await client.query('vacuum (analyze)');
  } finally {
    await client.end();
  }
}
