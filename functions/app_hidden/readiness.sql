/*
 * What GET /readyz reports: how much the drain has still to do. Totals only, which say nothing of
 * anybody; runs as its owner because API roles never see a log.
 */
create or replace function app_hidden.readiness()
  returns jsonb
  language sql
  stable
  parallel restricted
  security definer
  set search_path to ''
as $$
  select pg_catalog.jsonb_build_object(
    'pending', coalesce(sum(p.rows), 0),
    'oldestPendingSeconds',
    coalesce(round(extract(epoch from clock_timestamp() - min(p.oldest)), 3), 0),
    'failed', (select count(*) from millrace.derivation d where d.state = 'failed')
  )
  from millrace.source s
  cross join lateral millrace.pending_rows(s.log) p;
$$;

comment on function app_hidden.readiness() is
  'Rows that no drain has taken yet, the age of the oldest, and the number of failed derivations.';

grant execute on function app_hidden.readiness() to app_anonymous;
