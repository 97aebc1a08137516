/*
 * The names of what is generated for one derivation and its target, quoted for SQL, in one place.
 */
create or replace function millrace.generated(
  derivation millrace.derivation,
  out pending text, out pending_members text,
  out truth text, out truth_members text, out members text,
  out carry text, out recount text, out exact text
)
  language sql
  stable
  set search_path to ''
begin atomic
  select
    format('millrace_log.%I',
      millrace.generated_name(c.target, '__' || c.target_column || '__pending')),
    format('millrace_log.%I',
      millrace.generated_name(c.target, '__' || c.target_column || '__pending_members')),
    format('millrace_log.%I',
      millrace.generated_name(c.target, '__' || c.target_column || '__truth')),
    format('millrace_log.%I',
      millrace.generated_name(c.target, '__' || c.target_column || '__truth_members')),
    format('millrace_log.%I',
      millrace.generated_name(c.target, '__' || c.target_column || '__members')),
    format('millrace_log.%I', millrace.generated_name(c.target, '__carry')),
    format('millrace_log.%I', millrace.generated_name(c.target, '__recount')),
    (
      select format('%I.%I', n.nspname, millrace.fitting_name(r.relname || '_' || c.target_column))
      from pg_catalog.pg_class r
      join pg_catalog.pg_namespace n on n.oid = r.relnamespace
      where r.oid = c.target
    )
  from (select (generated.derivation).target, (generated.derivation).target_column) c;
end;

comment on function millrace.generated(millrace.derivation) is
  'The names of what is generated for a derivation.';
