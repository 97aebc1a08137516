/*
 * Adds the results of one batch of a reconcile to those of the batches before, which may be of more
 * derivations: one that was paused meanwhile is in no further batch.
 */
create or replace function millrace.add_results(results jsonb, batch jsonb)
  returns jsonb
  language sql
  immutable
  set search_path to ''
return (
  select coalesce(jsonb_object_agg(coalesce(r.key, b.key), jsonb_build_object(
    'checked', coalesce((r.value ->> 'checked')::bigint, 0)
      + coalesce((b.value ->> 'checked')::bigint, 0),
    'drifted', coalesce((r.value ->> 'drifted')::bigint, 0)
      + coalesce((b.value ->> 'drifted')::bigint, 0),
    'drift', coalesce((r.value ->> 'drift')::numeric, 0)
      + coalesce((b.value ->> 'drift')::numeric, 0),
    'examples', jsonb_path_query_array(
      coalesce(r.value -> 'examples', '[]') || coalesce(b.value -> 'examples', '[]'), '$[0 to 4]')
  )), '{}') as results
  from jsonb_each(add_results.results) r
  full join jsonb_each(add_results.batch) b on b.key = r.key
);

comment on function millrace.add_results(jsonb, jsonb) is
  'Adds up the results of a reconcile''s batches.';
