/*
 * What search returns: its results are rows of this view's type. As a view it is everything that
 * can be found, each as the result of no search. What was found is joined by its key, which of the
 * five columns it stands in says of which kind it is.
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
  '' as query,
  case i.kind when 'project' then i.subject_id end as project_id,
  case i.kind when 'person' then i.subject_id end as account_id,
  case i.kind when 'chain' then i.subject_id end as chain_id,
  case i.kind when 'post' then i.subject_id end as post_id,
  case i.kind when 'investor' then i.subject_id end as investor_id
from app_hidden.search_index i;

comment on view app_public.search_result is
  E'@behavior -insert -update -delete -query:resource:list -query:resource:connection '
  '-query:resource:single -node -manyRelation:resource:list -manyRelation:resource:connection\n'
  '@primaryKey id\n'
  '@foreignKey (project_id) references app_public.project (id)|@fieldName project\n'
  '@foreignKey (account_id) references app_public.account (id)|@fieldName person\n'
  '@foreignKey (chain_id) references app_public.chain (id)|@fieldName chain\n'
  '@foreignKey (post_id) references app_public.chain_post (id)|@fieldName post\n'
  '@foreignKey (investor_id) references app_public.investor (id)|@fieldName investor\n'
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
comment on column app_public.search_result.project_id is
  E'@behavior -attribute:select -attribute:orderBy -attribute:filterBy\n'
  'The project, if it is one.';
comment on column app_public.search_result.account_id is
  E'@behavior -attribute:select -attribute:orderBy -attribute:filterBy\n'
  'The person, if it is one.';
comment on column app_public.search_result.chain_id is
  E'@behavior -attribute:select -attribute:orderBy -attribute:filterBy\n'
  'The chain, if it is one.';
comment on column app_public.search_result.post_id is
  E'@behavior -attribute:select -attribute:orderBy -attribute:filterBy\n'
  'The post, if it is one.';
comment on column app_public.search_result.investor_id is
  E'@behavior -attribute:select -attribute:orderBy -attribute:filterBy\n'
  'The investor, if it is one.';

grant select on app_public.search_result to app_anonymous, app_account, app_moderator;
