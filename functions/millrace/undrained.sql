/*
 * From which transaction on log rows may be undrained, in this snapshot: all that are older are
 * known to be deleted. 0, and so all rows are looked at, where that is not known.
 *
 * A drain D that left no row in the logs of all that a snapshot S sees notes (move_horizon) the
 * oldest transaction that was in progress in S. Let R be a snapshot that sees the note, and with it
 * what D deleted, and r a row of an older transaction x: x had ended before S, so S saw r, and D
 * deleted it. What a longer transaction writes holds the note back, anywhere in the cluster, and
 * costs reads, but hides nothing from them; one that only reads does not. Rows carry the number of
 * their top transaction, under which a savepoint's rows are too; prepared transactions are in
 * progress; a standby sees D after all that ended before it.
 *
 * Built-in functions only: who may read a view that reads this needs no rights on functions.
 */
create or replace view millrace.undrained as
select coalesce(
  (
    select h.since
    from millrace.horizon h
    where h.written_by = h.xmin
    order by h.number desc
    limit 1
  ),
  '0'::xid8
) as since;

comment on view millrace.undrained is 'How far drains have emptied the logs.';
comment on column millrace.undrained.since is
  'The first transaction whose log rows may be undrained; 0 where that is not known.';
