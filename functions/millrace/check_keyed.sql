/*
 * Refuses definitions whose rows depend on the rows of other keys: a window that is not partitioned
 * by the key, a limit over all rows. A change would then touch keys that no mapping can name. The
 * planner knows: where it may not look for the key below such a step, nor for anything of the row
 * that the step is worked out for (a lateral subquery), the step is over all keys.
 */
create or replace function millrace.check_keyed(
  derivation millrace.derivation, definition regclass
)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_plan json;
  v_step text;
begin
  execute format(E'explain (format json)\n%s', millrace.fresh_sql(
    check_keyed.derivation, millrace.qualified_name(check_keyed.definition), format(
      '(select * from %s offset 0)', millrace.qualified_name((check_keyed.derivation).work))))
    into v_plan;
  with recursive node(step) as (
    select v_plan::jsonb -> 0 -> 'Plan'
    union all
    select child.value
    from node
    cross join lateral jsonb_array_elements(node.step -> 'Plans') child
  )
  select node.step ->> 'Node Type' into v_step
    from node
    where node.step ->> 'Node Type' in ('WindowAgg', 'Limit')
      and node.step::text !~ '\mb\.'
      and not exists (
        select from node other
        where node.step::text ~ format('\m%s\\?"?\.',
            regexp_replace(other.step ->> 'Alias', '\W', '\\\&', 'g'))
          and strpos(node.step::text, format('"Alias": %s', other.step -> 'Alias')) = 0
      )
    limit 1;
  if v_step is not null then
    raise exception 'The rows of % depend on the rows of other keys',
      check_keyed.definition using
      errcode = 'MR029',
      detail = case v_step
        when 'Limit' then 'A limit is over all rows.'
        else 'A window function is not partitioned by the key.'
      end,
      hint = case
        when v_plan::text ~ '"Node Type": "CTE Scan"'
        then 'Partition windows by the key; write "as not materialized" where a common table '
          'expression is read more than once, or the key does not get into it; or use refresh.'
        else 'Partition windows by the key, or use the strategy refresh.'
      end;
  end if;
  if v_plan::text ~ '"Node Type": "CTE Scan"' then
    raise warning 'The definition % works out a common table expression as a whole',
      check_keyed.definition using
      detail = 'Each run and each live read does so, however few keys it is for.',
      hint = 'Write "with x as not materialized" where it is read more than once.';
  end if;
end
$$;

comment on function millrace.check_keyed(millrace.derivation, regclass) is
  'Refuses a definition whose rows depend on other keys: MR029.';
