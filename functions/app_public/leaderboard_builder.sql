/* What is ranked is public; app_private.leaderboard_builder holds the rows. */
create or replace view app_public.leaderboard_builder
  with (security_invoker = true)
as
select
  l.account_id, l.rank, l.points, l.upvote_count, l.proof_score, l.badge_count, l.project_count,
  l.display_name, l.headline
from app_private.leaderboard_builder l;

comment on view app_public.leaderboard_builder is
  E'@behavior -insert -update -delete -query:resource:list -query:resource:connection\n'
  '@primaryKey account_id\n'
  '@foreignKey (account_id) references app_public.account (id)|@foreignSingleFieldName ranking\n'
  'A builder, who shows at least one project, on the leaderboard of builders.';
comment on column app_public.leaderboard_builder.account_id is
  E'@isIndexed\n@notNull\n'
  'The account.';
comment on column app_public.leaderboard_builder.rank is
  E'@isIndexed\n@notNull\n'
  'Their place: 1 for the most points. Equal points share one, and the next counts them.';
comment on column app_public.leaderboard_builder.points is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Upvotes and proof score together.';
comment on column app_public.leaderboard_builder.upvote_count is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Upvotes of their projects.';
comment on column app_public.leaderboard_builder.proof_score is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'The points of their badges.';
comment on column app_public.leaderboard_builder.badge_count is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Badges of their projects.';
comment on column app_public.leaderboard_builder.project_count is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Projects that they show.';
comment on column app_public.leaderboard_builder.display_name is
  E'@behavior -attribute:orderBy -attribute:filterBy\n'
  'Their name.';
comment on column app_public.leaderboard_builder.headline is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'What they say of themselves.';

grant select on app_public.leaderboard_builder to app_anonymous, app_account, app_moderator;
