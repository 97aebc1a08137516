/*
 * Tables of this project that want a vacuum or an analyze: more than 50 rows, and more than 10 % of
 * them dead, or changed since they were last analyzed, or never analyzed with 1,000 rows or more.
 * `patience` multiplies the shares: a schedule leaves to autovacuum what it will come to by itself.
 * Logs of the engine are vacuumed by its ticker.
 */
create or replace function app_private.wants_upkeep(patience double precision default 1)
  returns table (relation text, reason text)
  language sql
  stable
  set search_path to ''
begin atomic
  select millrace.qualified_name(s.relid::regclass), concat_ws(', ',
    case when w.dead then format('%s of %s rows are dead', s.n_dead_tup,
      s.n_live_tup + s.n_dead_tup) end,
    case when w.changed then format('%s rows changed since it was analyzed', s.n_mod_since_analyze)
    end,
    case when w.unknown then 'never analyzed' end)
  from pg_catalog.pg_stat_user_tables s
  join pg_catalog.pg_class c on c.oid = s.relid and c.relkind = 'r'
  cross join lateral (
    select
      s.n_dead_tup > 50 + 0.1 * wants_upkeep.patience * s.n_live_tup as dead,
      s.n_mod_since_analyze > 50 + 0.1 * wants_upkeep.patience * s.n_live_tup as changed,
      s.n_live_tup >= 1000 and s.last_analyze is null and s.last_autoanalyze is null as unknown
  ) w
  where s.schemaname in ('app_public', 'app_hidden', 'app_private', 'app_operator', 'millrace')
    and (w.dead or w.changed or w.unknown)
    and pg_catalog.pg_has_role(c.relowner, 'member');
end;

comment on function app_private.wants_upkeep(double precision) is
  'Tables that want a vacuum or an analyze, and why.';
