/* The investors to find. db/derived/discovery.sql keeps it. */
create or replace view app_private.investor_directory_definition as
select
  i.id as investor_id,
  i.account_id,
  a.display_name as account_name,
  i.name,
  i.headline,
  pg_catalog.left(i.thesis, 300) as summary,
  i.location,
  i.stages,
  i.sectors,
  i.min_check,
  i.max_check,
  i.is_open,
  i.created_at,
  i.intro_count
from app_public.investor i
join app_public.account a on a.id = i.account_id
where i.deleted_at is null;

comment on view app_private.investor_directory_definition is
  'What app_public.investor_directory holds.';
comment on column app_private.investor_directory_definition.account_name is
  'The name of their account.';
comment on column app_private.investor_directory_definition.summary is
  'How their thesis begins, at most 300 characters.';
