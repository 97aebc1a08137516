/*
 * The indexes that exact reads of a derivation need on the log of one of its tables. A read comes
 * with a key: it enters each log by the key where the log has it, and goes from one log to the
 * other along the foreign key. A drain comes with no key and goes along the foreign key for every
 * row of the through table's log: without an index that begins with it, it would read the source's
 * log for each.
 *
 * Behind what is looked up stands recorded_in, so that rows that drains have deleted are passed
 * however many there are (see undrained).
 */
create or replace function millrace.log_index_columns(
  derivation millrace.derivation, relation regclass
)
  returns setof name[]
  language sql
  stable
  set search_path to ''
begin atomic
  with side(name, is_side) as (
    values
      ('source', log_index_columns.relation = log_index_columns.derivation.source),
      ('via', coalesce(log_index_columns.relation = log_index_columns.derivation.through, false))
  ),
  -- the key as columns of this side, null where the side lacks one
  entry as (
    select s.name, array_agg(
      case
        when k.key like s.name || '.%' then substr(k.key, strpos(k.key, '.') + 1)
        when s.name = 'via' then log_index_columns.derivation.through_key[
          array_position(log_index_columns.derivation.source_key, substr(k.key, 8)::name)
        ]
      end::name order by k.position) as columns
    from side s
    cross join unnest(log_index_columns.derivation.key) with ordinality k(key, position)
    where s.is_side
    group by s.name
  ),
  -- the foreign key as columns of this side, as far as a look-up needs it
  foreign_key as (
    select
      s.name,
      array_agg(
        case s.name when 'source' then c.source_column else c.through_column end
        order by c.position) as columns
    from side s
    cross join unnest(
      (log_index_columns.derivation).source_key, (log_index_columns.derivation).through_key
    ) with ordinality c(source_column, through_column, position)
    where s.is_side and c.through_column = any (millrace.looked_up_by(
      (log_index_columns.derivation).through, (log_index_columns.derivation).through_key
    ))
    group by s.name
  )
  select e.columns || '{recorded_in}'::name[]
  from entry e
  where array_position(e.columns, null) is null
  union
  select f.columns || '{recorded_in}'::name[]
  from foreign_key f;
end;

comment on function millrace.log_index_columns(millrace.derivation, regclass) is
  'The column lists by which reads and drains of a derivation enter the log of a table.';
