/*
 * Counts afresh the rows of targets whose keys a drain has taken out of the recount logs:
 * {"<target>": [[key], ...]}.
 */
create or replace function millrace.recount(keys jsonb)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_target record;
begin
  for v_target in
    select array_agg(d.name order by d.name) as names, k.value as listed
    from jsonb_each(recount.keys) k
    join millrace.derivation d
      on d.target = k.key::regclass and d.state in ('active', 'backfilling')
    where jsonb_array_length(k.value) > 0
    group by k.key, k.value
  loop
    perform millrace.reconcile_target(v_target.names, true, listed => v_target.listed);
  end loop;
end
$$;

comment on function millrace.recount(jsonb) is 'Counts the listed keys of targets afresh.';
