create index derivation_target_idx on millrace.derivation (target);
