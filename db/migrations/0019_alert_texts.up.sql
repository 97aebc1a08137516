-- There is no field deadJobs. Whoever has changed the rule's text keeps it.
update app_operator.alert_rule
set description = 'Jobs have used up their attempts: see jobs(state: "dead").'
where name = 'dead_jobs' and description = 'Jobs have used up their attempts: see deadJobs.';
