update app_operator.alert_rule
set description = 'Jobs have used up their attempts: see deadJobs.'
where name = 'dead_jobs'
  and description = 'Jobs have used up their attempts: see jobs(state: "dead").';
