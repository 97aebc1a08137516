/* What is ranked is public; app_private.leaderboard_project holds the rows. */
create or replace view app_public.leaderboard_project
  with (security_invoker = true)
as
select
  l.project_id, l.rank, l.points, l.upvote_count, l.proof_score, l.badge_count, l.title, l.tagline,
  l.owner_id, l.owner_name
from app_private.leaderboard_project l;

comment on view app_public.leaderboard_project is
  E'@behavior -insert -update -delete -query:resource:list -query:resource:connection '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  '@primaryKey project_id\n'
  '@foreignKey (project_id) references app_public.project (id)|@foreignSingleFieldName ranking\n'
  '@foreignKey (owner_id) references app_public.account (id)\n'
  'A project on the leaderboard of projects.';
comment on column app_public.leaderboard_project.project_id is
  E'@isIndexed\n@notNull\n'
  'The project.';
comment on column app_public.leaderboard_project.rank is
  E'@isIndexed\n@notNull\n'
  'Its place: 1 for the most points. Equal points share one, and the next counts them.';
comment on column app_public.leaderboard_project.points is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Upvotes and proof score together.';
comment on column app_public.leaderboard_project.upvote_count is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Upvotes.';
comment on column app_public.leaderboard_project.proof_score is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'The points of its badges.';
comment on column app_public.leaderboard_project.badge_count is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Badges.';
comment on column app_public.leaderboard_project.title is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Its name.';
comment on column app_public.leaderboard_project.tagline is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'What it is, in one line.';
comment on column app_public.leaderboard_project.owner_id is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'The account that shows it.';
comment on column app_public.leaderboard_project.owner_name is
  E'@behavior -attribute:orderBy -attribute:filterBy\n'
  'The name of that account.';

grant select on app_public.leaderboard_project to app_anonymous, app_account, app_moderator;
