/*
 * The names of what is generated for a derived relation or a reaction, quoted for SQL, in one
 * place: its own copy of the definition, the copy that a rebuild will put in its place, the table
 * of keys that wait, the view of keys whose stored row is not the newest, the view of the exact
 * rows, the live view over it, and what a rebuild makes beside the relation.
 */
create or replace function millrace.relation_names(
  name text,
  out definition text, out next_definition text, out work text, out dirty text,
  out exact text, out live text, out next text
)
  language sql
  immutable
  set search_path to ''
begin atomic
  select
    format('millrace_log.%I', millrace.fitting_name(n.stem || '__definition')),
    format('millrace_log.%I', millrace.fitting_name(n.stem || '__next_definition')),
    format('millrace_log.%I', millrace.fitting_name(n.stem || '__work')),
    format('millrace_log.%I', millrace.fitting_name(n.stem || '__dirty')),
    format('millrace_log.%I', millrace.fitting_name(n.stem || '__exact')),
    format('%I.%I', n.schema_name, millrace.fitting_name(n.relation_name || '_live')),
    format('%I.%I', n.schema_name, millrace.fitting_name(n.relation_name || '__next'))
  from (
    select
      replace(relation_names.name, '.', '__') as stem,
      split_part(relation_names.name, '.', 1) as schema_name,
      substr(relation_names.name, strpos(relation_names.name, '.') + 1) as relation_name
  ) n;
end;

comment on function millrace.relation_names(text) is
  'The names of what is generated for a derived relation or a reaction.';
