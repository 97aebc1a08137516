/*
 * The name, within a drain, of the images of a source and its through table.
 */
create or replace function millrace.images_name(source regclass, through regclass)
  returns text
  language sql
  stable
  set search_path to ''
return quote_ident(millrace.generated_name(
  images_name.source,
  coalesce('__' || millrace.generated_name(images_name.through)::text, '') || '__images'
));

comment on function millrace.images_name(regclass, regclass) is
  'The name of the common table expression with the images of a source and its through table.';
