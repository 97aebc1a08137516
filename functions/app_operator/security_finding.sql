/*
 * What the hourly review of rights found.
 */
create or replace view app_operator.security_finding as
select f.object, f.problem, f.found_at
from app_private.security_finding f
order by f.found_at, f.object, f.problem;

comment on view app_operator.security_finding is
  'Rights in this database that no migration gives, as the hourly review found them.';
comment on column app_operator.security_finding.object is 'What is concerned.';
comment on column app_operator.security_finding.problem is 'What is wrong with it.';
comment on column app_operator.security_finding.found_at is 'When it was first found.';

grant select on app_operator.security_finding to app_operator;
