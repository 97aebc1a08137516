/*
 * The indexes on the log of a table: by what exact reads of counters enter it, and by what live
 * reads of derived relations do.
 */
create or replace function millrace.log_indexes(source regclass)
  returns setof name[]
  language sql
  stable
  set search_path to ''
begin atomic
  select i.columns
  from millrace.derivation d
  cross join lateral millrace.log_index_columns(d, log_indexes.source) i(columns)
  where d.kind = 'counter'
  union
  select r.key_columns || '{recorded_in}'::name[]
  from millrace.reading r
  where r.relation = log_indexes.source and r.key_columns is not null;
end;

comment on function millrace.log_indexes(regclass) is
  'The column lists of the indexes on the log of a table.';
