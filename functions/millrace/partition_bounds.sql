/*
 * The partitions of a table with their bounds, from the catalog: whoever made them. Bounds of all
 * three types are moments in UTC; the function's settings say how Postgres prints them, so they are
 * read as they are printed.
 */
create or replace function millrace.partition_bounds(relation regclass)
  returns table (
    partition regclass, from_time timestamptz, to_time timestamptz,
    is_default boolean, is_pending boolean
  )
  language sql
  stable
  set search_path to ''
  set timezone to 'UTC'
  set datestyle to 'ISO, YMD'
begin atomic
  select
    i.inhrelid::regclass,
    case b.bounds[1]
      when 'MINVALUE' then '-infinity'::timestamptz
      else trim(b.bounds[1], '''')::timestamptz
    end,
    case b.bounds[2]
      when 'MAXVALUE' then 'infinity'::timestamptz
      else trim(b.bounds[2], '''')::timestamptz
    end,
    b.bounds is null,
    i.inhdetachpending
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  cross join lateral (
    select regexp_match(
      pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') as bounds
  ) b
  where i.inhparent = partition_bounds.relation;
end;

comment on function millrace.partition_bounds(regclass) is
  'The partitions of a table: bounds (null for the default partition), whether a detach is '
  'pending.';
