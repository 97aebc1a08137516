/*
 * Adds the results of one batch of a reconcile to those of the batches before.
 */
create or replace function millrace.add_results(results jsonb, batch jsonb)
  returns jsonb
  language sql
  immutable
  set search_path to ''
return (
  select jsonb_object_agg(b.key, jsonb_build_object(
    'checked', coalesce((r.value ->> 'checked')::bigint, 0) + (b.value ->> 'checked')::bigint,
    'drifted', coalesce((r.value ->> 'drifted')::bigint, 0) + (b.value ->> 'drifted')::bigint,
    'drift', coalesce((r.value ->> 'drift')::numeric, 0) + (b.value ->> 'drift')::numeric,
    'examples', jsonb_path_query_array(
      coalesce(r.value -> 'examples', '[]') || (b.value -> 'examples'), '$[0 to 4]')
  ))
  from jsonb_each(add_results.batch) b
  left join jsonb_each(add_results.results) r on r.key = b.key
);

comment on function millrace.add_results(jsonb, jsonb) is
  'Adds up the results of a reconcile''s batches.';
