/*
 * How a drain tells derived relations and reactions what changed, as common table expressions over
 * the rows that it takes from the logs: it maps them to keys, in its own snapshot, and appends the
 * keys to the work table of each. Mapping in the writer would miss rows that another transaction is
 * creating at the same time; here whichever commits last is seen by the drain that takes its row.
 *
 * A mark is appended even if the key is waiting already: the job that is just taking the older one
 * may have read before this change. Nothing ever updates a mark, so nobody waits for anybody.
 */
create or replace function millrace.marks_sql(names text[])
  returns text[]
  language sql
  stable
  set search_path to ''
begin atomic
  select array_agg(
    format(
      E'%s as (\n'
      '  insert into %s (%s)\n'
      '  %s\n'
      ')',
      quote_ident(
        millrace.fitting_name(d.name || '__marks__' || millrace.generated_name(m.source))),
      millrace.qualified_name(d.work),
      millrace.comma('first_at',
        case when m.query is null then '' else millrace.list(d.target_key) end),
      case
        when m.query is null then format(
          E'select min(recorded_at) from %s having count(*) > 0', n.taken)
        else format(
          E'select distinct (select min(recorded_at) from %s), %s\n'
          '  from (\n%s\n  ) k(%s)\n'
          '  where %s',
          n.taken,
          millrace.list(d.target_key, 'k.%I'),
          millrace.mapped_sql(m.query, m.columns, n.taken),
          millrace.list(d.target_key),
          millrace.list(d.target_key, 'k.%I is not null', ' and '))
      end)
    order by d.name, m.source)
  from millrace.derivation d
  join millrace.mapping m on m.derivation = d.id
  cross join lateral (
    select quote_ident(millrace.generated_name(m.source)) as taken
  ) n
  where d.name = any (marks_sql.names) and d.work is not null;
end;

comment on function millrace.marks_sql(text[]) is
  'Appends the keys that a drain''s rows touch to the work tables, as common table expressions.';
