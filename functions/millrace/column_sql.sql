/*
 * A qualified column (source.<column>, via.<column>) as SQL. In the branch of the delta rule that starts from the
 * log of the through table, a column of the foreign key is taken from there: it is equal by the join, and only so
 * can a condition on the key reach the index of that log.
 */
create or replace function millrace.column_sql(derivation millrace.derivation, qualified text, from_through boolean)
  returns text
  language sql
  immutable
  set search_path to ''
return (
  select case
    when q.side = 'source' and column_sql.from_through and p.position is not null
      then format('via.%I', column_sql.derivation.through_key[p.position])
    else format('%s.%I', q.side, q.bare)
  end
  from (
    select
      split_part(column_sql.qualified, '.', 1) as side,
      substr(column_sql.qualified, strpos(column_sql.qualified, '.') + 1) as bare
  ) q
  cross join lateral (
    select array_position(column_sql.derivation.source_key, q.bare::name) as position
  ) p
);

comment on function millrace.column_sql(millrace.derivation, text, boolean) is
  'A qualified column of a declaration as SQL.';
