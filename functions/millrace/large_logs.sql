/*
 * Logs, and marks of waiting keys, with more than a thousand pages. What a burst of writes has left
 * behind is empty pages, which every look at the log reads until they are given back (1,000,000
 * rows: 10 to 30 ms a tick). Autovacuum does not do that with logs: it would lock them whenever a
 * few pages at the end are free. The caller vacuums these with truncate, which takes the lock only
 * if nobody else has one, gives way to whoever waits within 20 ms, and finds nothing to cut off
 * while rows wait.
 */
create or replace function millrace.large_logs()
  returns text[]
  language sql
  stable
  set search_path to ''
begin atomic
  select coalesce(array_agg(millrace.qualified_name(l.log) order by l.log), '{}')
  from (
    select s.log from millrace.source s
    union
    select d.work from millrace.derivation d where d.work is not null
    union
    select t.log from millrace.target_logs() t
  ) l
  where pg_relation_size(l.log) > 8 * 1024 * 1024;
end;

comment on function millrace.large_logs() is
  'Logs with more than 8 MB, to be vacuumed with truncate, which cannot run inside a function.';
