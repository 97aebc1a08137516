/*
 * Who follows this server, and which slots hold its write-ahead log back. No row: nobody, none.
 */
create or replace view app_operator.replication as
select 'standby' as kind, r.application_name as name, r.state, r.sync_state as mode,
  (case when pg_catalog.pg_is_in_recovery() then null
    else pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) end)::bigint
    as bytes_behind,
  extract(epoch from r.replay_lag)::double precision as seconds_behind
from pg_catalog.pg_stat_replication r
union all
select 'slot', s.slot_name, case when s.active then 'active' else 'inactive' end,
  concat_ws(', ', s.slot_type, s.wal_status),
  (case when pg_catalog.pg_is_in_recovery() then null
    else pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) end)::bigint,
  null
from pg_catalog.pg_replication_slots s
order by kind, name;

comment on view app_operator.replication is
  'Who follows this server, and which slots hold its write-ahead log back; no row: nobody.';
comment on column app_operator.replication.kind is 'standby or slot.';
comment on column app_operator.replication.name is 'Its name.';
comment on column app_operator.replication.state is
  'streaming, catchup, … of a standby; active or inactive of a slot.';
comment on column app_operator.replication.mode is
  'sync, async, quorum or potential of a standby; kind and state of the log of a slot.';
comment on column app_operator.replication.bytes_behind is
  'Bytes of the log that it has not replayed, or that the slot holds back.';
comment on column app_operator.replication.seconds_behind is
  'Time until it had replayed recent writes; null while nothing is written.';

grant select on app_operator.replication to app_operator;
