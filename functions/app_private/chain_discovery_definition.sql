/*
 * The chains to find, with what makes them worth a visit. For one chain it is the end of a range of
 * chain_post_chain_id_idx beside the row itself. What happened last moves a chain up as publication
 * does a project, followers and posts give it weight. db/derived/discovery.sql keeps it.
 */
create or replace view app_private.chain_discovery_definition as
select
  c.id as chain_id,
  c.owner_id,
  a.display_name as owner_name,
  c.slug,
  c.name,
  pg_catalog.left(c.description, 300) as summary,
  c.created_at,
  c.project_count,
  c.follower_count,
  c.post_count,
  c.reply_count,
  greatest(c.created_at, l.created_at) as last_active_at,
  app_hidden.trending_score(
    greatest(c.created_at, l.created_at),
    c.follower_count + c.project_count + c.post_count + c.reply_count) as activity_score
from app_public.chain c
join app_public.account a on a.id = c.owner_id
left join lateral (
  select p.created_at from app_public.chain_post p
  where p.chain_id = c.id and p.deleted_at is null
  order by p.created_at desc
  limit 1
) l on true
where c.deleted_at is null;

comment on view app_private.chain_discovery_definition is 'What app_public.chain_discovery holds.';
comment on column app_private.chain_discovery_definition.summary is
  'How its description begins, at most 300 characters.';
comment on column app_private.chain_discovery_definition.owner_name is
  'The name of the account that keeps it.';
comment on column app_private.chain_discovery_definition.last_active_at is
  'When somebody last posted or replied in it; when it was begun, if nobody has.';
comment on column app_private.chain_discovery_definition.activity_score is
  'The logarithm of its followers, projects and posts, plus the days of the latest of these '
  'posts: see activeChains.';
