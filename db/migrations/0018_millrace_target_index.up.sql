-- The unique constraint on (target, target_column) is an index that begins with the target. The
-- table has some dozen rows.
-- squawk-ignore require-concurrent-index-deletion
drop index millrace.derivation_target_idx;
