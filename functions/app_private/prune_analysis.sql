/*
 * Deletes the results of a conversation but the published one and those of the runs just before, so
 * that `keep` are left. Outside the transaction that publishes, which stays short.
 */
create or replace function app_private.prune_analysis(conversation_id bigint, keep integer)
  returns bigint
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  with gone as (
    delete from app_public.analysis_run r
    where r.id in (
      select k.id from app_public.analysis_run k
      where k.conversation_id = prune_analysis.conversation_id and not k.is_published
      order by k.id desc
      offset greatest(prune_analysis.keep - 1, 0)
    )
    returning 1
  )
  select count(*) from gone;
$$;

comment on function app_private.prune_analysis(bigint, integer) is
  'Deletes old results of a conversation, and returns how many.';
