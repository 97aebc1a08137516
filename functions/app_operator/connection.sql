/*
 * Connections to this database by who and what they do. Without pg_read_all_stats the state of
 * other roles' connections is unknown: they are counted with state null.
 */
create or replace view app_operator.connection as
select
  a.application_name as application,
  a.usename::text as role_name,
  a.state,
  a.wait_event_type,
  count(*) as connections,
  max(extract(epoch from clock_timestamp() - a.state_change))::double precision
    as longest_state_seconds,
  max(extract(epoch from clock_timestamp() - a.xact_start))::double precision
    as longest_transaction_seconds
from pg_catalog.pg_stat_activity a
where a.datname = current_database() and a.backend_type = 'client backend'
group by a.application_name, a.usename, a.state, a.wait_event_type
order by count(*) desc, a.application_name, a.state;

comment on view app_operator.connection is 'Connections to this database, by who and what they do.';
comment on column app_operator.connection.application is 'The program.';
comment on column app_operator.connection.role_name is 'The login.';
comment on column app_operator.connection.state is
  'active, idle, idle in transaction, …; null where it may not be seen: serverOverview.missing.';
comment on column app_operator.connection.wait_event_type is
  'What they wait for: Client between two statements, Lock, IO, …; null while they compute.';
comment on column app_operator.connection.connections is 'How many.';
comment on column app_operator.connection.longest_state_seconds is
  'How long one of them has been in this state.';
comment on column app_operator.connection.longest_transaction_seconds is
  'How long the oldest transaction of theirs has been open.';

grant select on app_operator.connection to app_operator;
