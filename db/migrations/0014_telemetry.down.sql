-- What the engine keeps of the events of removed partitions goes with the sums that it belongs to.
do $$
declare
  v_kept regclass;
begin
  for v_kept in
    delete from millrace.partition_kept k
    where k.relation = 'app_public.telemetry_event'::regclass
    returning k.kept
  loop
    execute format('drop table %s', v_kept);
  end loop;
end
$$;

revoke usage on schema app_public from app_operator;
drop table app_public.telemetry_day;
drop table app_public.telemetry_event;
drop table app_private.telemetry_setting;
drop type app_private.telemetry_reading;
drop type app_public.telemetry_receipt;
drop type app_public.telemetry_refusal;
drop type app_public.telemetry_refusal_reason;
