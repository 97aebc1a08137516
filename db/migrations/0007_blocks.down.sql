-- As 0002 has it: without a look at the column that goes.
create or replace function app_hidden.is_moderator()
  returns boolean
  language sql
  stable
  parallel restricted
  security definer
  set search_path to ''
return pg_catalog.current_setting('role') = 'app_moderator' and exists (
  select from app_private.account_role r
  join app_public.account a on a.id = r.account_id
  where r.account_id = app_hidden.current_account_id() and r.role = 'moderator'
    and a.deleted_at is null
);
drop function app_hidden.is_blocked_between(bigint, bigint);
drop table app_public.block;
drop table app_public.account_suspension;
alter table app_public.account drop column suspended_at;
