/*
 * What search returns: its results are rows of this view's type. As a view it is everything that
 * can be found, each as the result of no search.
 */
create or replace view app_public.search_result
  with (security_invoker = true)
as
select
  i.kind || ':' || i.subject_id as id,
  0::double precision as score,
  i.kind,
  i.subject_id,
  i.title,
  '' as query
from app_hidden.search_index i;

comment on view app_public.search_result is
  E'@behavior -insert -update -delete -query:resource:list -query:resource:connection '
  '-query:resource:single -node\n'
  '@primaryKey id\n'
  'Something that a search has found.';
comment on column app_public.search_result.id is
  E'@isIndexed\n@notNull\n'
  'Identifies it among the results: kind and number.';
comment on column app_public.search_result.score is
  E'@isIndexed\n@notNull\n'
  'How well it matches; 3 and more: in its title or tags, 2: elsewhere, 1: but for a typo.';
comment on column app_public.search_result.kind is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'What it is.';
comment on column app_public.search_result.subject_id is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Which of its kind.';
comment on column app_public.search_result.title is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'Its name.';
comment on column app_public.search_result.query is
  E'@behavior -attribute:orderBy -attribute:filterBy\n@notNull\n'
  'What was searched for.';

grant select on app_public.search_result to app_anonymous, app_account, app_moderator;
