/*
 * The statement that drains a set of logs, generated once and kept: generating it takes several times as long as
 * running it over a few rows. Kept until a declaration or a state changes (trigger on millrace.derivation). How many
 * sets of pending logs occur is bounded in practice; beyond 500 the store starts again.
 */
create or replace function millrace.drain_plan(pending regclass[])
  returns millrace.drain_plan
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_plan millrace.drain_plan;
begin
  select p.* into v_plan from millrace.drain_plan p where p.pending = drain_plan.pending;
  if not found then
    v_plan.pending := drain_plan.pending;
    v_plan.names := millrace.drained_together(drain_plan.pending);
    if cardinality(v_plan.names) > 0 then
      v_plan.statement := millrace.drain_sql(v_plan.names);
    end if;
    if (select count(*) > 500 from millrace.drain_plan p) then
      delete from millrace.drain_plan;
    end if;
    insert into millrace.drain_plan select v_plan.*;
  end if;
  return v_plan;
end
$$;

comment on function millrace.drain_plan(regclass[]) is 'The statement that drains a set of logs, and whom it serves.';
