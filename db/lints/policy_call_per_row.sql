-- A stable function in a policy is called for every row, unless it stands in a sub-select, which is
-- evaluated once for the query.
select
  pg_policy.polname || ' on ' || polrelid::regclass as object,
  'calls a function without arguments for each row: write (select the_function())' as problem
from pg_catalog.pg_policy
cross join lateral (
  values (pg_catalog.pg_get_expr(polqual, polrelid)),
    (pg_catalog.pg_get_expr(polwithcheck, polrelid))
) as expression (source)
where pg_catalog.regexp_replace(
  expression.source,
  '\( ?SELECT [^()]*(current_setting\([^()]*\)|[a-z_.]+\(\))[^()]*\)',
  '',
  'g'
) ~ '(current_setting\(|\m[a-z_]+\.[a-z_]+\(\))'
