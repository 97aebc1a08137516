/*
 * What can be searched, one row each, whatever it is. For one key it is a look-up by primary key in
 * one of the branches: the kind rules out the others. db/derived/discovery.sql keeps it.
 */
create or replace view app_private.search_index_definition as
select
  d.kind,
  d.subject_id,
  d.title,
  app_hidden.search_fold(d.title) as folded_title,
  d.summary,
  pg_catalog.left(d.body, 2000) as body,
  d.popularity,
  app_hidden.search_vector(
    d.kind, pg_catalog.concat_ws(' ', d.title, pg_catalog.array_to_string(d.tags, ' ')),
    pg_catalog.concat_ws(' ', d.summary, d.body), d.popularity) as vector
from (
  select
    'project'::app_public.search_kind as kind,
    p.id as subject_id,
    p.title,
    p.tagline as summary,
    p.description as body,
    p.tags,
    app_hidden.search_popularity(p.upvote_count + 2 * p.comment_count + p.proof_score / 10)
      as popularity
  from app_public.project p
  where p.deleted_at is null
  union all
  select
    'person', a.id, a.display_name, coalesce(f.headline, ''),
    pg_catalog.concat_ws(' ', f.location, f.bio), coalesce(f.skills, '{}'),
    app_hidden.search_popularity(a.upvote_count + a.follower_count + a.proof_score / 10)
  from app_public.account a
  left join app_public.profile f on f.account_id = a.id
  where a.deleted_at is null and not a.is_guest and a.display_name is not null
  union all
  select
    'chain', c.id, c.name, pg_catalog.left(c.description, 300), c.description, array[c.slug],
    app_hidden.search_popularity(c.follower_count + c.project_count + c.post_count + c.reply_count)
  from app_public.chain c
  where c.deleted_at is null
  union all
  select
    'post', p.id, p.title, pg_catalog.left(p.content, 300), p.content, '{}',
    app_hidden.search_popularity(p.reply_count)
  from app_public.chain_post p
  join app_public.chain c on c.id = p.chain_id
  where p.parent_id is null and p.deleted_at is null and c.deleted_at is null
  union all
  select
    'investor', i.id, i.name, i.headline,
    pg_catalog.concat_ws(' ', a.display_name, i.location, i.thesis), i.sectors,
    app_hidden.search_popularity(i.intro_count)
  from app_public.investor i
  join app_public.account a on a.id = i.account_id
  where i.deleted_at is null
) d;

comment on view app_private.search_index_definition is 'What app_hidden.search_index holds.';
comment on column app_private.search_index_definition.kind is 'What it is.';
comment on column app_private.search_index_definition.subject_id is 'Which of its kind.';
comment on column app_private.search_index_definition.title is 'Its name.';
comment on column app_private.search_index_definition.folded_title is
  'The words of its name, as search compares them.';
comment on column app_private.search_index_definition.summary is 'What it is, in a line or two.';
comment on column app_private.search_index_definition.body is
  'How its text begins, at most 2,000 characters.';
comment on column app_private.search_index_definition.popularity is
  'How popular it is, from 0 to 9.';
comment on column app_private.search_index_definition.vector is
  'What it is found by: see app_hidden.search_vector.';
