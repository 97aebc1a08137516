/*
 * What GET /readyz reports: which migration the database has come to, whether somebody ticks, and
 * how much the drain has still to do. Totals only, which say nothing of anybody; runs as its owner
 * because API roles never see a log.
 */
create or replace function app_hidden.readiness()
  returns jsonb
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_migration text;
  v_migrations integer := 0;
begin
  if to_regclass('app_migration.migration') is not null then
    -- as text: npm run migrate keeps its books in a schema of its own
    execute 'select max(m.name), count(*) from app_migration.migration m'
      into v_migration, v_migrations;
  end if;
  return (
    select jsonb_build_object(
      'migration', v_migration,
      'migrations', v_migrations,
      'ticker', app_private.tickers() > 0,
      'pending', coalesce(sum(p.rows), 0),
      'oldestPendingSeconds',
      coalesce(round(extract(epoch from clock_timestamp() - min(p.oldest)), 3), 0),
      'failed', (select count(*) from millrace.derivation d where d.state = 'failed')
    )
    from millrace.source s
    cross join lateral app_private.pending_at_most(s.log, 100000) p
  );
end
$$;

comment on function app_hidden.readiness() is
  'The last migration and how many there are, whether somebody ticks, rows that no drain '
  'has taken yet, the age of the oldest, and the number of failed derivations.';

grant execute on function app_hidden.readiness() to app_anonymous;
