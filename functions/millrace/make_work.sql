/*
 * Makes the table in which keys wait for their job. Like a log it is append-only and has no
 * constraint: a drain that appends never waits for the job that takes. Each row is a mark: since
 * when the key is behind (the age of the oldest change), and when it was marked.
 */
create or replace function millrace.make_work(
  derivation_name text, key_columns name[], key_types text[], indexed boolean
)
  returns regclass
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_work constant text := (millrace.relation_names(make_work.derivation_name)).work;
  v_columns constant text := (
    select string_agg(format('%I %s not null, ', k.name, k.type), '' order by k.position)
    from unnest(make_work.key_columns, make_work.key_types) with ordinality k(name, type, position)
  );
begin
  execute format($sql$
    create table %s (
      %sfirst_at timestamptz not null,
      marked_at timestamptz not null default clock_timestamp()
    ) with (
      autovacuum_vacuum_threshold = 1000,
      autovacuum_vacuum_scale_factor = 0,
      autovacuum_vacuum_cost_delay = 0,
      vacuum_truncate = false
    )$sql$, v_work, v_columns);
  if make_work.indexed then
    execute format('create index on %s (%s)', v_work, millrace.list(make_work.key_columns));
  end if;
  execute format('comment on table %s is %L', v_work,
    format('What of %s waits for its job: appended by drains only.', make_work.derivation_name));
  return v_work::regclass;
end
$$;

comment on function millrace.make_work(text, name[], text[], boolean) is
  'Makes the table of keys that wait for a job.';
