/*
 * The range of time that is moved out of the default partition next: the period of its oldest row,
 * as far as no other partition has it. Where it holds more rows than a batch, it ends earlier: at a
 * day, an hour, a minute or a second, if one of them divides it, otherwise anywhere. Nothing where
 * no row can be moved (null and infinite times belong to no period).
 */
create or replace function millrace.partition_move_batch(
  relation regclass, batch bigint, out from_time timestamptz, out to_time timestamptz
)
  language plpgsql
  stable
  set search_path to ''
  set timezone to 'UTC'
  set row_security to off
as $$
declare
  v_p millrace.partitioning;
  v_default text;
  v_oldest timestamptz;
  v_from timestamptz;
  v_condition text;
  v_cut timestamptz;
  v_rounded timestamptz;
begin
  select p.* into v_p
    from millrace.partitioning p where p.relation = partition_move_batch.relation;
  select millrace.qualified_name(b.partition) into v_default
    from millrace.partition_bounds(v_p.relation) b where b.is_default;
  execute format('select min(%1$I)::timestamptz from %2$s where isfinite(%1$I)',
    v_p.column_name, v_default)
    into v_oldest;
  if v_oldest is null then
    return;
  end if;
  v_from := millrace.partition_floor(v_oldest, v_p.period, v_p.origin);
  select
      greatest(v_from, max(b.to_time) filter (where b.to_time <= v_oldest)),
      least(v_from + v_p.period, min(b.from_time) filter (where b.from_time > v_oldest))
    into partition_move_batch.from_time, partition_move_batch.to_time
    from millrace.partition_bounds(v_p.relation) b where not b.is_default;

  v_condition := millrace.partition_condition(v_p.relation, v_p.column_name, from_time, to_time);
  execute format('select %I::timestamptz from %s where %s order by 1 offset $1 limit 1',
    v_p.column_name, v_default, v_condition)
    into v_cut
    using partition_move_batch.batch;
  if v_cut = v_oldest then
    -- a batch of rows of the same moment cannot be divided: up to the next moment
    execute format('select min(%I)::timestamptz from %s where %s and %1$I > %4$s',
      v_p.column_name,
      v_default,
      v_condition,
      millrace.partition_literal(v_oldest,
        millrace.partition_column_type(v_p.relation, v_p.column_name)))
      into v_cut;
  end if;
  if v_cut is not null then
    select r.moment into v_rounded
      from (
        select u.position, date_trunc(u.unit, v_cut) as moment
        from unnest(array['day', 'hour', 'minute', 'second'])
          with ordinality u(unit, position)
      ) r
      where r.moment > v_oldest
      order by r.position
      limit 1;
    to_time := coalesce(v_rounded, v_cut);
  end if;
end
$$;

comment on function millrace.partition_move_batch(regclass, bigint) is
  'The range of time to be moved out of a default partition next; nulls when there is none.';
