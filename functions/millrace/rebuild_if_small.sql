/*
 * Fills a small relation at once, inside the declaration: the lock that the declaration holds on
 * the sources would make writers wait while a large one is filled, so those are left to the job.
 * Returns whether it did.
 */
create or replace function millrace.rebuild_if_small(id bigint)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  if current_setting('transaction_isolation') = 'read committed' and (
    select millrace.table_size(variadic array_agg(r.relation)) < 4 * 1024 * 1024
    from (
      select m.source from millrace.mapping m where m.derivation = rebuild_if_small.id
      union
      select u.upstream from millrace.dependency u where u.derivation = rebuild_if_small.id
    ) r(relation)
  ) and not exists (
    -- what it reads is to be filled first
    select
    from millrace.dependency u
    join millrace.derivation d on d.target = u.upstream and d.kind = 'materialize'
    where u.derivation = rebuild_if_small.id and d.state = 'backfilling'
  ) then
    perform millrace.lock_relation(rebuild_if_small.id);
    begin
      perform millrace.rebuild(rebuild_if_small.id);
      return true;
    exception when lock_not_available then
      -- somebody is reading what is to be replaced: the job will have more patience
      null;
    end;
  end if;
  return false;
end
$$;

comment on function millrace.rebuild_if_small(bigint) is
  'Fills a derived relation at once if its sources are small.';
