/*
 * Statements of the API that took over 50 ms as its hosts saw it, by plan.
 */
create or replace view app_operator.slow_statement as
select
  s.statement_hash,
  nullif(s.plan_hash, '') as plan_hash,
  s.statement,
  s.plan,
  s.operation,
  s.calls,
  s.total_ms,
  s.total_ms / nullif(s.calls, 0) as mean_ms,
  s.max_ms,
  (
    select count(*) from app_private.slow_statement o
    where o.statement_hash = s.statement_hash and o.plan_hash <> ''
  ) as plans,
  s.first_seen_at,
  s.last_seen_at
from app_private.slow_statement s
order by s.total_ms desc, s.statement_hash, s.plan_hash;

comment on view app_operator.slow_statement is
  'Statements of the API that took over 50 ms, by plan; those first that took longest in all.';
comment on column app_operator.slow_statement.statement_hash is 'Hash of the text.';
comment on column app_operator.slow_statement.plan_hash is
  'Hash of the shape of its plan; null where explain was not tried or not possible.';
comment on column app_operator.slow_statement.statement is 'The text, without values.';
comment on column app_operator.slow_statement.plan is
  'The shape of the plan, as explain showed it right after the slow call.';
comment on column app_operator.slow_statement.operation is 'An operation that sent it.';
comment on column app_operator.slow_statement.calls is 'Calls over 50 ms.';
comment on column app_operator.slow_statement.total_ms is 'Their duration in all.';
comment on column app_operator.slow_statement.mean_ms is 'Their mean duration.';
comment on column app_operator.slow_statement.max_ms is 'The longest.';
comment on column app_operator.slow_statement.plans is
  'Plans that it was seen with: with more than one, the plan changes.';
comment on column app_operator.slow_statement.first_seen_at is 'When it was first slow.';
comment on column app_operator.slow_statement.last_seen_at is 'When it was last slow.';

grant select on app_operator.slow_statement to app_operator;
