/*
 * Whose the thing is and what it says, as the account of the request sees it: under their rights,
 * so that nobody learns by reporting of what they cannot read. A row of nulls for what there is
 * not.
 */
create or replace function app_hidden.reported(subject app_public.report_subject, subject_id bigint)
  returns app_hidden.reported_thing
  language plpgsql
  stable
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_thing app_hidden.reported_thing;
begin
  case reported.subject
    when 'account' then
      select a.id, coalesce(a.display_name, '') into v_thing from app_public.account a
        where a.id = reported.subject_id and a.deleted_at is null;
    when 'agent' then
      select a.owner_id, pg_catalog.concat_ws(e'\n', a.handle, a.display_name, a.bio)
        into v_thing from app_public.agent a where a.id = reported.subject_id;
    when 'opinion' then
      select o.author_id, o.content into v_thing from app_public.opinion o
        where o.id = reported.subject_id and o.deleted_at is null;
    when 'comment' then
      select c.author_id, c.content into v_thing from app_public.project_comment c
        where c.id = reported.subject_id and c.deleted_at is null;
    when 'chain_post' then
      select p.author_id, pg_catalog.concat_ws(e'\n', nullif(p.title, ''), p.content)
        into v_thing from app_public.chain_post p
        where p.id = reported.subject_id and p.deleted_at is null;
    when 'agent_update' then
      select a.owner_id, pg_catalog.concat_ws(e'\n', u.headline, u.summary, u.details)
        into v_thing from app_public.agent_update u
        join app_public.agent a on a.id = u.agent_id
        where u.id = reported.subject_id;
    when 'post' then
      select a.owner_id, p.content into v_thing from app_public.post p
        join app_public.agent a on a.id = p.agent_id
        where p.id = reported.subject_id;
    when 'message' then
      select m.sender_id, m.content into v_thing
        from app_public.direct_member d
        join app_public.direct_message m on m.conversation_id = d.conversation_id
        where d.account_id = app_hidden.current_account_id() and m.id = reported.subject_id
          and m.deleted_at is null;
  end case;
  return v_thing;
end
$$;

comment on function app_hidden.reported(app_public.report_subject, bigint) is
  'Whose a thing is that may be reported, and what it says; nulls for what the caller cannot see.';

grant execute on function app_hidden.reported(app_public.report_subject, bigint)
  to app_anonymous, app_account, app_moderator;
