/*
 * What waits for a job or has one: keys of derived relations and reactions; [] is a whole relation.
 */
create or replace view millrace.refresh_queue as
select
  d.name,
  d.kind,
  d.strategy,
  q.key,
  q.marks,
  q.first_at,
  q.due_at,
  r.job_id,
  r.queued_at,
  coalesce(f.failures, r.failures) as failures,
  coalesce(f.last_error, r.last_error) as last_error,
  r.dead_at
from millrace.derivation d
cross join lateral (
  select w.key, w.marks, w.first_at, w.due_at from millrace.waiting(d.id) w
  union all
  select r.key, 0, null, null
  from millrace.run r
  where r.derivation = d.id and (r.job_id is not null or r.dead_at is not null)
    and not exists (select from millrace.waiting(d.id) w where w.key = r.key)
) q
left join millrace.run r on r.derivation = d.id and r.key = q.key
left join millrace.failed_key f on f.derivation = d.id and f.key = q.key
where d.work is not null;

comment on view millrace.refresh_queue is
  'What waits for a job or has one: keys of derived relations and of reactions.';
comment on column millrace.refresh_queue.name is 'The derivation.';
comment on column millrace.refresh_queue.kind is 'materialize or react.';
comment on column millrace.refresh_queue.strategy is 'incremental or refresh, for relations.';
comment on column millrace.refresh_queue.key is
  'The key as a JSON array; [] for a relation as a whole.';
comment on column millrace.refresh_queue.marks is
  'How often it was marked since its last job took it; 0 if nothing changed since.';
comment on column millrace.refresh_queue.first_at is 'When the oldest of these changes was made.';
comment on column millrace.refresh_queue.due_at is 'When a job for it is due.';
comment on column millrace.refresh_queue.job_id is 'The job in graphile_worker, if there is one.';
comment on column millrace.refresh_queue.queued_at is 'When the last job was scheduled.';
comment on column millrace.refresh_queue.failures is 'Failed attempts in a row.';
comment on column millrace.refresh_queue.last_error is 'The error of the last of them.';
comment on column millrace.refresh_queue.dead_at is 'When its job had used up its attempts.';
