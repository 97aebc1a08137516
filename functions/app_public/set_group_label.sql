/*
 * A moderator's name for an opinion group; an empty one gives it back the one made of its opinions.
 * It is kept from one analysis to the next, as long as the group is the same by its members.
 *
 * Locks the conversation's row of analysis_request first, as a result that is being published does
 * at its end: either the name is given to the group of the old result and carried over, or the
 * group is no longer there and the moderator is told. Runs as its owner, because no API role writes
 * results.
 */
create or replace function app_public.set_group_label(run_id bigint, key integer, label text)
  returns app_public.opinion_group
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_moderator_id constant bigint := app_hidden.require_moderator();
  v_label constant text := app_hidden.require_text(set_group_label.label, 'name', 0, 80, 'AN002');
  v_conversation_id bigint;
  v_group app_public.opinion_group;
begin
  select q.conversation_id into v_conversation_id
    from app_public.analysis_run r
    join app_private.analysis_request q on q.conversation_id = r.conversation_id
    where r.id = set_group_label.run_id
    for update of q;
  select g.* into v_group
    from app_public.opinion_group g
    join app_public.analysis_run r on r.id = g.run_id
    where g.run_id = set_group_label.run_id and g.key = set_group_label.key and r.is_published;
  if v_group.run_id is null then
    raise exception 'There is no such group any more' using
      errcode = 'AN001',
      detail = pg_catalog.format('analysis %s, group %s',
        set_group_label.run_id, set_group_label.key),
      hint = 'A newer analysis has been published: load it, and name its group.';
  end if;
  if v_label = '' then
    delete from app_private.group_label l
      where l.conversation_id = v_conversation_id and l.key = v_group.key;
  else
    insert into app_private.group_label as l (conversation_id, key, label, moderator_id)
      values (v_conversation_id, v_group.key, v_label, v_moderator_id)
      on conflict (conversation_id, key) do update
        set label = excluded.label, moderator_id = excluded.moderator_id, edited_at = now();
  end if;
  update app_public.opinion_group g
    set label = case v_label when '' then g.made_label else v_label end,
      is_label_edited = v_label <> ''
    where g.run_id = v_group.run_id and g.key = v_group.key
    returning g.* into v_group;
  update app_public.analysis_run r
    set labels = array(
      select g.label from app_public.opinion_group g where g.run_id = r.id order by g.key
    )
    where r.id = v_group.run_id;
  return v_group;
end
$$;

comment on function app_public.set_group_label(bigint, integer, text) is
  'Names an opinion group; an empty name takes back the one given. For moderators.';

grant execute on function app_public.set_group_label(bigint, integer, text)
  to app_anonymous, app_account, app_moderator;
