/*
 * What happens every 15 minutes: notes which indexes were used since the last look, and asks for an
 * analyze or vacuum of the tables that want one and did not get it from autovacuum. Returns how
 * many.
 */
create or replace function app_private.watch_statistics()
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_tables text[];
begin
  insert into app_private.index_use as u (index_id, scans)
  select i.indexrelid, i.idx_scan
  from pg_catalog.pg_stat_user_indexes i
  on conflict (index_id) do update
    set scans = excluded.scans,
      -- after a reset of the statistics there are fewer
      used_at = case
        when excluded.scans > u.scans or excluded.scans < u.scans and excluded.scans > 0
        then clock_timestamp()
        else u.used_at
      end
    where u.scans <> excluded.scans;
  select array_agg(w.relation order by w.relation) into v_tables
  from app_private.wants_upkeep(4) w;
  if v_tables is not null then
    perform app_private.queue_optimize(v_tables);
  end if;
  return coalesce(cardinality(v_tables), 0);
end
$$;

comment on function app_private.watch_statistics() is
  'Notes which indexes are used and asks for the upkeep of tables that autovacuum has left behind; '
  'returns how many.';
