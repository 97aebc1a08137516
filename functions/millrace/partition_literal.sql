/*
 * A moment as a literal of the type of the partitioned column: in UTC.
 */
create or replace function millrace.partition_literal(moment timestamptz, type regtype)
  returns text
  language sql
  stable
  set search_path to ''
  set timezone to 'UTC'
  set datestyle to 'ISO, YMD'
return format('%L::%s',
  case partition_literal.type
    when 'timestamptz'::regtype then partition_literal.moment::text
    when 'timestamp'::regtype then (partition_literal.moment at time zone 'UTC')::text
    else (partition_literal.moment at time zone 'UTC')::date::text
  end,
  partition_literal.type);

comment on function millrace.partition_literal(timestamptz, regtype) is
  'A moment as SQL of that type.';
