/*
 * What the events of a kind and a day add up to. Rows of telemetry_day are made by whoever sends
 * the first event; two numbers of them are kept here, and stay when the partitions of the events
 * go.
 */
select millrace.counter('app_public.telemetry_day.event_count',
  source => 'app_public.telemetry_event', key => '{day,kind}');
select millrace.counter('app_public.telemetry_day.account_count',
  source => 'app_public.telemetry_event', key => '{day,kind}', distinct_on => '{account_id}');

-- millrace.partition_by_time: monthly, three months ahead, dropped when they are old.
select app_private.keep_telemetry();
