/*
 * All that the page of a project shows before anybody scrolls, in one row: the project, its owner,
 * its badges, and the ten chains that it was last added to. For one project it is a handful of
 * look-ups by key. db/derived/discovery.sql keeps it.
 */
create or replace view app_private.project_details_definition as
select
  p.id as project_id,
  p.owner_id,
  a.display_name as owner_name,
  coalesce(f.headline, '') as owner_headline,
  p.title,
  p.tagline,
  p.description,
  p.website_url,
  p.tags,
  p.created_at,
  p.updated_at,
  p.upvote_count,
  p.comment_count,
  p.badge_count,
  p.proof_score,
  (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'id', b.id, 'kind', b.kind, 'points', b.points, 'note', b.note,
          'validatorName', v.display_name, 'awardedAt', b.awarded_at
        ) order by b.id
      ), '[]')
    from app_public.badge b
    join app_public.account v on v.id = b.validator_id
    where b.project_id = p.id and b.revoked_at is null
  ) as badges,
  (
    select coalesce(
      jsonb_agg(
        jsonb_build_object('id', n.id, 'slug', n.slug, 'name', n.name)
        order by n.added_at desc, n.id desc
      ), '[]')
    from (
      select c.id, c.slug, c.name, cp.added_at
      from app_public.chain_project cp
      join app_public.chain c on c.id = cp.chain_id
      where cp.project_id = p.id and cp.removed_at is null and c.deleted_at is null
      order by cp.added_at desc, cp.chain_id desc
      limit 10
    ) n
  ) as chains
from app_public.project p
join app_public.account a on a.id = p.owner_id
left join app_public.profile f on f.account_id = p.owner_id
where p.deleted_at is null;

comment on view app_private.project_details_definition is 'What app_public.project_details holds.';
comment on column app_private.project_details_definition.owner_name is
  'The name of the account that shows it.';
comment on column app_private.project_details_definition.owner_headline is
  'What its owner says of themselves, in one line.';
comment on column app_private.project_details_definition.badges is
  'Its badges, oldest first: id, kind, points, note, validatorName, awardedAt.';
comment on column app_private.project_details_definition.chains is
  'The ten chains that it was last added to: id, slug, name.';
