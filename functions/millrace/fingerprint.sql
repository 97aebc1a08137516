/*
 * Tells one version of a definition from another: the text of the view, of the views that it reads,
 * and the types of their columns.
 */
create or replace function millrace.fingerprint(definition regclass)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select md5(string_agg(
    concat_ws(' ', millrace.qualified_name(v.relation), pg_get_viewdef(v.relation), (
      select string_agg(
        concat(a.attname, ' ', format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
      from pg_catalog.pg_attribute a
      where a.attrelid = v.relation and a.attnum > 0
    )), E'\n' order by millrace.qualified_name(v.relation)))
  from millrace.definition_views(fingerprint.definition) v(relation)
);

comment on function millrace.fingerprint(regclass) is
  'A hash of a definition and of the views that it reads.';
