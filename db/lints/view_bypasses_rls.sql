-- A view reads with its owner's rights, past the policies of the tables below it. The engine's live
-- views carry the policies of their relations themselves (millrace.live_sql).
select
  pg_class.oid::regclass::text as object,
  'a view of the API with its owner''s rights: add "with (security_invoker = true)"' as problem
from pg_catalog.pg_class
where relnamespace = 'app_public'::regnamespace
  and relkind = 'v'
  and not coalesce(reloptions @> '{security_invoker=true}', false)
  and not exists (
    select
    from millrace.derivation
    where strategy = 'incremental'
      and to_regclass((millrace.relation_names(name)).live) = pg_class.oid
  )
