/*
 * Reconcile for large tables in use: every batch of keys is a transaction of its own, and between
 * them drains and jobs go on. Takes a job's payload: {"name": "...", "repair": true, "size": 2000,
 * "sample": 1000, "rolling": true}, all optional. repair is the default, because a schedule that
 * only reports leaves the readers with what is wrong. With sample that many keys, at random, are
 * compared of each; with rolling one batch of each, where the last time ended, so that in time all
 * come by. What raises an error holds up no other; it is an error of the whole in the end.
 */
create or replace procedure millrace.reconcile_batches(payload jsonb default '{}')
  language plpgsql
as $$
declare
  v_repair constant boolean := coalesce((payload ->> 'repair')::boolean, true);
  v_size constant integer := coalesce((payload ->> 'size')::integer, 2000);
  v_sample constant integer := (payload ->> 'sample')::integer;
  v_rolling constant boolean := coalesce((payload ->> 'rolling')::boolean, false);
  v_item record;
  v_run record;
  v_names text[];
  v_listed jsonb;
  v_after text[];
  v_results jsonb;
  v_started timestamptz;
  v_failed text[] := '{}';
begin
  if payload ->> 'name' is not null then
    perform millrace.derivation_named(payload ->> 'name');
  end if;
  for v_item in
    select d.id, d.kind, array[d.name] as names, d.target, d.rolling_after
    from millrace.reconciled_relations(payload ->> 'name') d
    union all
    select null, 'counter', t.names, d.target, d.rolling_after
    from millrace.reconciled_together(payload ->> 'name') t
    join millrace.derivation d on d.name = t.names[1]
  loop
    v_started := clock_timestamp();
    v_after := case when v_rolling then v_item.rolling_after end;
    v_listed := case when v_sample is not null and v_item.kind <> 'react'
      then millrace.random_keys(v_item.target, v_sample) end;
    v_results := '{}';
    loop
      begin
        if v_item.kind = 'react' then
          perform millrace.lock_engine();
          v_results := millrace.reconcile_reaction(v_item.id, v_repair);
        elsif v_item.kind = 'materialize' then
          perform millrace.lock_relation(v_item.id);
          v_run := millrace.reconcile_relation(v_item.id, v_repair, v_after, v_size, v_listed);
          v_results := millrace.add_results(v_results, coalesce(v_run.results, '{}'));
          v_after := v_run.last_key;
        else
          perform millrace.lock_engine();
          -- what was paused since the last batch is not kept, which is no drift
          v_names := array(
            select d.name from millrace.derivation d
            where d.name = any (v_item.names) and d.state = 'active'
            order by d.name
          );
          v_run := millrace.reconcile_target(v_names, v_repair, v_after, v_size, v_listed);
          v_results := millrace.add_results(v_results, v_run.results);
          v_after := case when v_run.checked = v_size then v_run.last_key end;
        end if;
      exception
        when data_exception or raise_exception or syntax_error_or_access_rule_violation
          or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
        then
          v_failed := v_failed
            || format('%s: %s: %s', array_to_string(v_item.names, ', '), sqlstate, sqlerrm);
          v_after := null;
      end;
      commit;
      if v_rolling then
        -- with no lock held: a declaration writes these rows and waits for the relation's lock
        update millrace.derivation d
          set rolling_after = v_after, rolled_at = clock_timestamp()
          where d.name = any (v_item.names);
        commit;
      end if;
      exit when v_after is null or v_rolling or v_listed is not null;
    end loop;
    perform millrace.finish_reconcile(
      v_results, v_repair, v_started, v_sample is null and not v_rolling);
    commit;
  end loop;
  if cardinality(v_failed) > 0 then
    raise exception 'Not everything could be compared' using
      errcode = 'MR059',
      detail = array_to_string(v_failed, E'\n'),
      hint = 'What has no error was compared, and repaired if it was to be.';
  end if;
end
$$;

comment on procedure millrace.reconcile_batches(jsonb) is
  'Reconciles one derivation (name) or all, a transaction a batch; repairs unless told otherwise; '
  'a sample, or the next batch of each (rolling). MR059 where one of them raises an error.';
