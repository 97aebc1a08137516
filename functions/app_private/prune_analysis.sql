/*
 * Deletes the results of a conversation but the published one and those of the runs just before, so
 * that `keep` are left. Outside the transaction that publishes, which stays short.
 *
 * Where there is nothing to delete it says no `delete`: the trigger that takes the rest of a result
 * along runs for none, too, and would wait for whoever has locked the tables of results.
 */
create or replace function app_private.prune_analysis(conversation_id bigint, keep integer)
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_old constant bigint[] := array(
    select r.id from app_public.analysis_run r
    where r.conversation_id = prune_analysis.conversation_id and not r.is_published
    order by r.id desc
    offset greatest(prune_analysis.keep - 1, 0)
  );
begin
  if cardinality(v_old) > 0 then
    delete from app_public.analysis_run r where r.id = any (v_old);
  end if;
  return cardinality(v_old);
end
$$;

comment on function app_private.prune_analysis(bigint, integer) is
  'Deletes old results of a conversation, and returns how many.';
