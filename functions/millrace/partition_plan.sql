/*
 * What the next run of the upkeep will do, in its order, or what it would do at another time:
 * nothing is changed. create: a partition that is missing; blocked: one that cannot be made because
 * the default partition holds rows of its range; finalize: the end of a detach that somebody began
 * (concurrently) and that was interrupted; detach and drop: a partition that is old.
 */
create or replace function millrace.partition_plan(
  table_name text default null, at timestamptz default null
)
  returns table (
    partitioned text, action text, partition text, from_time timestamptz, to_time timestamptz
  )
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_at constant timestamptz := coalesce(partition_plan.at, clock_timestamp());
  v_p millrace.partitioning;
  v_step record;
  v_default regclass;
begin
  perform millrace.partitioning_of(partition_plan.table_name)
    where partition_plan.table_name is not null;
  for v_p in
    select p.*
    from millrace.partitioning p
    join pg_catalog.pg_class c on c.oid = p.relation
    where partition_plan.table_name is null
      or p.relation = to_regclass(partition_plan.table_name)
    order by millrace.qualified_name(p.relation)
  loop
    partitioned := millrace.qualified_name(v_p.relation);
    select b.partition into v_default
      from millrace.partition_bounds(v_p.relation) b where b.is_default;
    for v_step in
      select s.*
      from (
        select 1 as position, 'finalize' as action, b.partition, b.from_time, b.to_time
        from millrace.partition_bounds(v_p.relation) b
        where b.is_pending
        union all
        select 2, 'create', null, m.from_time, m.to_time
        from millrace.partition_missing(v_p.relation, v_at) m
        union all
        select 3, 'create', null, null, null
        where v_p.default_partition and v_default is null
        union all
        select 4, v_p.retention, b.partition, b.from_time, b.to_time
        from millrace.partition_bounds(v_p.relation) b
        where not b.is_default and not b.is_pending and b.to_time <= v_at - v_p.retain
      ) s
      order by s.position, s.from_time
    loop
      action := v_step.action;
      from_time := v_step.from_time;
      to_time := v_step.to_time;
      partition := coalesce(
        millrace.qualified_name(v_step.partition),
        (
          select format('%I.%I', n.nspname,
            millrace.partition_name(v_p.relation, v_step.from_time, v_p.period))
          from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.oid = v_p.relation
        ));
      if action = 'create' and from_time is not null and v_default is not null then
        execute format('select case when exists (select from %s where %s) then %L else %L end',
          millrace.qualified_name(v_default),
          millrace.partition_condition(v_p.relation, v_p.column_name, from_time, to_time),
          'blocked',
          'create')
          into action;
      end if;
      return next;
    end loop;
  end loop;
end
$$;

comment on function millrace.partition_plan(text, timestamptz) is
  'What the upkeep of a table''s partitions, or of all, would do now or at another time: create, '
  'blocked, finalize, detach, drop. MR001 or MR046 for a table that is not declared.';
