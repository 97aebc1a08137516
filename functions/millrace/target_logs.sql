/*
 * The logs that belong to the targets of counters: what is carried over because a row was locked,
 * and the keys that are to be counted afresh.
 */
create or replace function millrace.target_logs()
  returns table (target regclass, is_recount boolean, log regclass)
  language sql
  stable
  set search_path to ''
begin atomic
  select t.target, x.is_recount,
    to_regclass(format('millrace_log.%I', millrace.generated_name(t.target, x.suffix)))
  from (select distinct d.target from millrace.derivation d where d.kind = 'counter') t
  cross join (values ('__carry', false), ('__recount', true)) x(suffix, is_recount);
end;

comment on function millrace.target_logs() is 'The carry tables and recount logs of all targets.';
