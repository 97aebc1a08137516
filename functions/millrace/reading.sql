/*
 * Which tables every derivation reads, of whatever kind: the one place that knows where that is
 * written down. is_drained: whether drains serve it. A paused reaction is still told what changes,
 * so that no wake-up is lost; what else is paused or failed is made afresh when it comes back.
 */
create or replace view millrace.reading as
select
  d.id,
  d.name,
  d.kind,
  d.target,
  r.relation,
  r.columns,
  r.compared,
  r.key_columns,
  d.state in ('active', 'backfilling') or d.kind = 'react' and d.state = 'paused' as is_drained
from millrace.derivation d
cross join lateral (
  select d.source, d.source_columns, d.source_columns, null::name[] where d.source is not null
  union all
  select d.through, d.through_columns, d.through_columns, null where d.through is not null
  union all
  select m.source, m.columns, m.compared,
    case when d.strategy = 'incremental' then m.key_columns end
  from millrace.mapping m where m.derivation = d.id
) r(relation, columns, compared, key_columns);

comment on view millrace.reading is 'Which tables each derivation reads.';
comment on column millrace.reading.id is 'The derivation.';
comment on column millrace.reading.name is 'Its name.';
comment on column millrace.reading.kind is 'counter, materialize or react.';
comment on column millrace.reading.target is 'What it derives.';
comment on column millrace.reading.relation is 'A table that it reads.';
comment on column millrace.reading.columns is 'The columns that its log must have for it.';
comment on column millrace.reading.compared is 'The columns whose change matters to it.';
comment on column millrace.reading.key_columns is
  'The columns by which live reads enter the log.';
comment on column millrace.reading.is_drained is 'Whether drains serve it.';
