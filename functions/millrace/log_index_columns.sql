/*
 * The indexes that exact reads of a derivation need on the log of one of its tables. A read comes
 * with a key: it enters each log by the key where the log has it, and goes from one log to the
 * other along the foreign key. A drain comes with no key and goes along the foreign key for every
 * row of the through table's log: without an index that begins with it, it would read the source's
 * log for each.
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
  )
  -- behind the key of the source its foreign key: the cross term looks images up by both
  select e.columns || case when e.name = 'source' then array(
    select k.name
    from unnest((log_index_columns.derivation).source_key) with ordinality k(name, position)
    where k.name <> all (e.columns)
    order by k.position
  ) else '{}' end
  from entry e
  where array_position(e.columns, null) is null
  union
  select log_index_columns.derivation.source_key from entry e
  where e.name = 'source' and (log_index_columns.derivation).source_key is not null
  union
  select log_index_columns.derivation.through_key from entry e where e.name = 'via';
end;

comment on function millrace.log_index_columns(millrace.derivation, regclass) is
  'The column lists by which reads and drains of a derivation enter the log of a table.';
