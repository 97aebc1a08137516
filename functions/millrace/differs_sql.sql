/*
 * Whether the row f of the definition differs from the stored row t: byte by byte, as a concurrent
 * refresh compares, so that types without equality will do and a change of case or of scale counts.
 */
create or replace function millrace.differs_sql(derivation millrace.derivation)
  returns text
  language sql
  stable
  set search_path to ''
return format(
  '(t.%I is null or row(%s)::record operator(pg_catalog.*<>) row(%s)::record)',
  (differs_sql.derivation).target_key[1],
  millrace.list((differs_sql.derivation).columns, 'f.%I'),
  millrace.list((differs_sql.derivation).columns, 't.%I'));

comment on function millrace.differs_sql(millrace.derivation) is
  'Whether a row of the definition differs from the stored one, as SQL.';
