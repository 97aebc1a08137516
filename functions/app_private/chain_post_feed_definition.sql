/*
 * The posts of chains without replies, with what the list of a forum shows. For one post it is the
 * end of a range of chain_post_parent_id_idx beside the row itself. db/derived/discovery.sql keeps
 * it.
 */
create or replace view app_private.chain_post_feed_definition as
select
  p.id as post_id,
  p.chain_id,
  p.author_id,
  a.display_name as author_name,
  p.title,
  pg_catalog.left(p.content, 300) as summary,
  p.created_at,
  p.edited_at,
  p.reply_count,
  coalesce(l.created_at, p.created_at) as last_active_at,
  l.author_id as last_author_id
from app_public.chain_post p
join app_public.chain c on c.id = p.chain_id
join app_public.account a on a.id = p.author_id
left join lateral (
  select r.created_at, r.author_id from app_public.chain_post r
  where r.parent_id = p.id and r.deleted_at is null
  order by r.created_at desc, r.id desc
  limit 1
) l on true
where p.parent_id is null and p.deleted_at is null and c.deleted_at is null;

comment on view app_private.chain_post_feed_definition is 'What app_public.chain_post_feed holds.';
comment on column app_private.chain_post_feed_definition.summary is
  'How it begins, at most 300 characters.';
comment on column app_private.chain_post_feed_definition.author_name is
  'The name of the account that wrote it.';
comment on column app_private.chain_post_feed_definition.last_active_at is
  'When somebody last replied; when it was written, if nobody has.';
comment on column app_private.chain_post_feed_definition.last_author_id is
  'Who last replied; null if nobody has.';
