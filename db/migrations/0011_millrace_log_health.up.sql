/*
 * How far drains have emptied the logs: reads go past log rows that drains have deleted and vacuum
 * cannot remove yet, because somebody holds an old snapshot open. See the view millrace.undrained.
 */
create table millrace.horizon (
  number bigint primary key,
  since xid8 not null,
  written_by xid not null
);

comment on table millrace.horizon is
  'From which transaction on log rows may be undrained; one row, replaced by drains. Appended and '
  'not updated: the newest is found at once however many old ones a snapshot holds back.';
comment on column millrace.horizon.number is 'The run that wrote it: the highest is the newest.';
comment on column millrace.horizon.since is
  'The first transaction whose log rows may be undrained.';
comment on column millrace.horizon.written_by is
  'The transaction that wrote the row. In a restored database the row''s own differs: then '
  'transactions are numbered anew, and what the row says is void.';
