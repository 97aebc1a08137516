/*
 * Drift that reconcile found; newest first.
 */
create or replace view app_operator.drift as
select d.id, d.name, d.found_at, d.keys_checked, d.keys_drifted, d.drift, d.repaired, d.cause,
  d.examples
from millrace.drift_log d
order by d.id desc;

comment on view app_operator.drift is
  'Derived values that were wrong, with the likely cause; newest first.';
comment on column app_operator.drift.id is 'Identifies the finding.';
comment on column app_operator.drift.name is 'The derivation.';
comment on column app_operator.drift.found_at is 'When it was found.';
comment on column app_operator.drift.keys_checked is 'Keys compared.';
comment on column app_operator.drift.keys_drifted is 'Keys that differed.';
comment on column app_operator.drift.drift is 'Sum of the differences.';
comment on column app_operator.drift.repaired is 'Whether it was put right.';
comment on column app_operator.drift.cause is 'The likely cause.';
comment on column app_operator.drift.examples is 'Up to five keys, with both values.';

grant select on app_operator.drift to app_operator;
