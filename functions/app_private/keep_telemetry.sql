/*
 * Declares the partitions of telemetry_event, with the retention of telemetry_setting, or another
 * one, which is kept there: so db/derived/telemetry.sql, which calls this, declares what an
 * operator has said.
 *
 * Old partitions are dropped and not detached: events say who did what, and are to be gone when
 * they are said to be. What they add up to outlives them.
 *
 * A client may report what occurred before its first partition would begin (on the first of a
 * month, what was yesterday), so there is an earlier one from the start.
 */
create or replace function app_private.keep_telemetry(retain interval default null)
  returns text
  language plpgsql
  volatile
  security invoker
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_table constant regclass := 'app_public.telemetry_event'::regclass;
  v_setting app_private.telemetry_setting;
  v_name text;
  v_first timestamptz;
begin
  update app_private.telemetry_setting s
    set retain = coalesce(keep_telemetry.retain, s.retain)
    returning s.* into strict v_setting;
  perform set_config('millrace.module', 'telemetry', true);
  v_name := millrace.partition_by_time('app_public.telemetry_event',
    column_name => 'occurred_at', period => '1 month', premake => 3,
    retain => v_setting.retain, retention => 'drop', keep_derived => true);
  loop
    select min(b.from_time) into v_first from millrace.partition_bounds(v_table) b;
    exit when v_first <= now() - v_setting.max_age;
    perform millrace.partition_create(v_table, v_first - interval '1 month', v_first);
  end loop;
  return v_name;
end
$$;

comment on function app_private.keep_telemetry(interval) is
  'Declares the partitions of telemetry_event: monthly, kept as long as telemetry_setting says, or '
  'as long as is said here from now on. Returns the table''s name. MR045 for a retention that '
  'makes no sense.';
