drop schema millrace_log cascade;
drop schema millrace cascade;
