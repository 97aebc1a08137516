/*
 * What toggle_upvote returns: rows of this view's type, with the count that includes the upvote
 * just given. Selected from a project that a mutation returned, the exact count would be another
 * statement, which has to wait for the mutation: one more round trip.
 */
create or replace view app_public.project_upvote_state
  with (security_invoker = true)
as
select
  p.id as project_id,
  app_public.project_upvote_count(p) as upvote_count,
  app_public.project_viewer_has_upvoted(p) as viewer_has_upvoted
from app_public.project p
where p.deleted_at is null;

comment on view app_public.project_upvote_state is
  E'@behavior -insert -update -delete -query:resource:list -query:resource:connection '
  '-query:resource:single -node -singularRelation:resource:single\n'
  '@primaryKey project_id\n'
  '@foreignKey (project_id) references app_public.project (id)|@fieldName project\n'
  'The upvotes of a project, and the viewer''s.';
comment on column app_public.project_upvote_state.project_id is
  E'@notNull\n'
  'The project.';
comment on column app_public.project_upvote_state.upvote_count is
  E'@notNull\n'
  'Upvotes that stand.';
comment on column app_public.project_upvote_state.viewer_has_upvoted is
  E'@notNull\n'
  'Whether the viewer''s is one of them.';

grant select on app_public.project_upvote_state to app_anonymous, app_account, app_moderator;
