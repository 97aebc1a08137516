drop table app_private.rate_limit;
