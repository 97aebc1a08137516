/*
 * The roles, and what belongs to a role in each database: run before every migration, as the login
 * that migrates (a superuser, or a database's owner with createrole).
 *
 * Roles are shared by all databases of a cluster and several migrations may run at once in
 * different databases, so everything here is done only where it is missing;
 * `scripts/lib/migrations.ts` runs the file again when another session was faster.
 *
 * Passwords: a login role gets one when it is created, from the setting
 * `millrace.password_<role>` (a SCRAM verifier), and keeps it afterwards.
 */

-- app_owner owns every schema and object. app_authenticator and app_operator_login are the logins
-- of the public and of the operator endpoint: no rights of their own, so that an injected
-- `reset role` gains nothing. The others are what a request becomes.
do $$
declare
  v_role record;
  v_password text;
begin
  for v_role in
    select *
    from (values
      ('app_owner', 'nologin'),
      ('app_anonymous', 'nologin'),
      ('app_account', 'nologin'),
      ('app_moderator', 'nologin'),
      ('app_operator', 'nologin'),
      ('app_authenticator', 'login noinherit'),
      ('app_operator_login', 'login noinherit')
    ) as wanted (name, attributes)
    where not exists (select from pg_catalog.pg_roles where rolname = wanted.name)
  loop
    v_password := nullif(current_setting('millrace.password_' || v_role.name, true), '');
    execute format('create role %I %s', v_role.name, v_role.attributes)
      || coalesce(format(' password %L', v_password), '');
  end loop;
end
$$;

-- Who may become whom. Never with admin option: a login must not be able to pass a role on.
do $$
declare
  v_grant record;
begin
  for v_grant in
    select *
    from (values
      ('app_anonymous', 'app_authenticator'),
      ('app_account', 'app_authenticator'),
      ('app_moderator', 'app_authenticator'),
      ('app_operator', 'app_operator_login')
    ) as wanted (granted, member)
    where not exists (
      select
      from pg_catalog.pg_auth_members
      where roleid = wanted.granted::regrole and pg_auth_members.member = wanted.member::regrole
    )
  loop
    execute format('grant %I to %I', v_grant.granted, v_grant.member);
  end loop;

  -- A migrating login that is no superuser needs the membership to `set role app_owner`; since
  -- Postgres 16 the creator of a role has its admin option only.
  if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
    and not exists (
      select
      from pg_catalog.pg_auth_members
      where roleid = 'app_owner'::regrole
        and pg_auth_members.member = current_user::regrole
        and coalesce(
          (to_jsonb(pg_auth_members) ->> 'set_option')::boolean, true)
    )
  then
    execute format('grant app_owner to %I', current_user);
  end if;
end
$$;

-- Limits of the logins. A request that waits for a lock gives up long before its statement does.
-- What the API reads is in memory, or on a disk that has no arm to move: a page found by an index
-- costs about what the next one of a scan does, and lists are planned as ranges of their index.
do $$
declare
  v_setting record;
begin
  for v_setting in
    select *
    from (values
      ('app_authenticator', 'statement_timeout', '3s', 0),
      ('app_authenticator', 'lock_timeout', '500ms', 0),
      ('app_authenticator', 'idle_in_transaction_session_timeout', '5s', 0),
      ('app_authenticator', 'transaction_timeout', '10s', 170000),
      ('app_authenticator', 'random_page_cost', '1.1', 0),
      ('app_operator_login', 'statement_timeout', '30s', 0),
      ('app_operator_login', 'lock_timeout', '2s', 0),
      ('app_operator_login', 'idle_in_transaction_session_timeout', '10s', 0),
      ('app_operator_login', 'transaction_timeout', '60s', 170000)
    ) as wanted (role_name, name, value, since)
    where current_setting('server_version_num')::int >= wanted.since
      and not exists (
        select
        from pg_catalog.pg_db_role_setting
        cross join lateral unnest(setconfig) as present (assignment)
        where setdatabase = 0
          and setrole = wanted.role_name::regrole
          and present.assignment like wanted.name || '=%'
      )
  loop
    execute format(
      'alter role %I set %I to %L', v_setting.role_name, v_setting.name, v_setting.value);
  end loop;
end
$$;

-- In this database: app_owner makes the schemas; nobody gets to run a function by default.
do $$
begin
  if not has_database_privilege('app_owner', current_database(), 'create') then
    execute format('grant create on database %I to app_owner', current_database());
  end if;
  if has_schema_privilege('public', 'public', 'create') then
    revoke create on schema public from public;
  end if;
end
$$;

-- Operators see the sessions and statements of all roles, and so does app_owner, which evaluates
-- the alerts. A login that may not grant it goes without: the operator's API says what it lacks.
do $$
declare
  v_role text;
begin
  if (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
    or current_setting('server_version_num')::int < 160000
      and (select rolcreaterole from pg_catalog.pg_roles where rolname = current_user)
    or pg_has_role('pg_monitor', 'member with admin option')
  then
    foreach v_role in array array['app_operator', 'app_owner'] loop
      if not exists (
        select
        from pg_catalog.pg_auth_members
        where roleid = 'pg_monitor'::regrole and member = v_role::regrole
      ) then
        execute format('grant pg_monitor to %I', v_role);
      end if;
    end loop;
  end if;
  if (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
    and not has_function_privilege('app_owner', 'pg_catalog.pg_stat_reset()', 'execute')
  then
    grant execute on function pg_catalog.pg_stat_reset() to app_owner;
  end if;
end
$$;

-- Where the server counts statements, this database shows them, to operators only.
do $$
declare
  v_function regprocedure;
begin
  if (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
    and 'pg_stat_statements' = any (
      regexp_split_to_array(current_setting('shared_preload_libraries'), '\s*,\s*'))
    and exists (
      select from pg_catalog.pg_available_extensions where name = 'pg_stat_statements')
    and not exists (select from pg_catalog.pg_extension where extname = 'pg_stat_statements')
  then
    create extension pg_stat_statements with schema public;
    revoke select on public.pg_stat_statements, public.pg_stat_statements_info from public;
    grant select on public.pg_stat_statements to app_operator;
    for v_function in
      select pg_proc.oid
      from pg_catalog.pg_proc
      where pronamespace = 'public'::regnamespace and proname ~ '^pg_stat_statements'
    loop
      execute format('revoke execute on function %s from public', v_function);
      execute format('grant execute on function %s to %I', v_function,
        case when v_function::text ~ 'reset' then 'app_owner' else 'app_operator' end);
    end loop;
  end if;
end
$$;

set local role app_owner;
alter default privileges for role app_owner revoke execute on functions from public;
reset role;
