/*
 * The rows that the definition gives for the keys of a relation, looked up key by key: the lateral
 * subquery may not be pulled up (offset 0), so the cost follows the keys whatever the statistics
 * say, and the key reaches the indexes below aggregates and windows that are made by key. With
 * all_keys there is a row for every key; "fresh.found" is null where the definition has none. Its
 * keys are as the definition writes them, which may differ from what equals them (1.0 and 1.00).
 */
create or replace function millrace.fresh_sql(
  derivation millrace.derivation, definition text, keys text, all_keys boolean default false
)
  returns text
  language sql
  stable
  set search_path to ''
return format(
  case
    when fresh_sql.all_keys then
      E'select %s, f."fresh.found"\n'
      'from %s b\n'
      'left join lateral (\n'
      '  select f.*, true as "fresh.found" from %s f where %s offset 0\n'
      ') f on true'
    else
      E'select %s\n'
      'from %s b\n'
      'cross join lateral (\n'
      '  select * from %s f where %s offset 0\n'
      ') f'
  end,
  (
    select string_agg(
      format(
        case
          when c.name <> all ((fresh_sql.derivation).target_key) then 'f.%1$I'
          when fresh_sql.all_keys then 'coalesce(f.%1$I, b.%1$I) as %1$I'
          else 'b.%1$I'
        end, c.name), ', ' order by c.position)
    from unnest((fresh_sql.derivation).columns) with ordinality c(name, position)
  ),
  fresh_sql.keys,
  fresh_sql.definition,
  millrace.list((fresh_sql.derivation).target_key, 'f.%1$I = b.%1$I', ' and '));

comment on function millrace.fresh_sql(millrace.derivation, text, text, boolean) is
  'What the definition gives for a relation of keys, as SQL.';
