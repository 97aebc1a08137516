/*
 * Changes an alert rule; what is not given stays. Its streaks begin again.
 */
create or replace function app_operator.set_alert_rule(
  name text,
  threshold double precision default null,
  clear_threshold double precision default null,
  fire_after integer default null,
  clear_after integer default null,
  is_enabled boolean default null
)
  returns app_operator.alert_rule
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_rule app_operator.alert_rule;
begin
  select r.* into v_rule from app_operator.alert_rule r
    where r.name = set_alert_rule.name for no key update;
  if not found then
    raise exception 'There is no such alert rule' using
      errcode = 'OP026',
      detail = format('rule %L', set_alert_rule.name),
      hint = 'alertRules lists them.';
  end if;
  v_rule.threshold := coalesce(set_alert_rule.threshold, v_rule.threshold);
  v_rule.clear_threshold := coalesce(set_alert_rule.clear_threshold, v_rule.clear_threshold);
  if coalesce(set_alert_rule.fire_after, 1) not between 1 and 1440
    or coalesce(set_alert_rule.clear_after, 1) not between 1 and 1440
    or v_rule.threshold in ('NaN', 'Infinity', '-Infinity')
    or (v_rule.comparison = 'above' and v_rule.clear_threshold > v_rule.threshold)
    or (v_rule.comparison = 'below' and v_rule.clear_threshold < v_rule.threshold)
  then
    raise exception 'These values make no alert rule' using
      errcode = 'OP027',
      detail = format('threshold %s, clear_threshold %s, %s the threshold is a breach',
        v_rule.threshold, v_rule.clear_threshold, v_rule.comparison),
      hint = 'The clear threshold lies on the good side of the threshold; fire_after and '
        'clear_after are from 1 to 1440.';
  end if;
  update app_operator.alert_rule r
    set threshold = v_rule.threshold,
      clear_threshold = v_rule.clear_threshold,
      fire_after = coalesce(set_alert_rule.fire_after, r.fire_after),
      clear_after = coalesce(set_alert_rule.clear_after, r.clear_after),
      is_enabled = coalesce(set_alert_rule.is_enabled, r.is_enabled),
      breaches = 0,
      clears = 0
    where r.name = v_rule.name
    returning r.* into v_rule;
  if not v_rule.is_enabled then
    update app_operator.alert a set resolved_at = clock_timestamp()
      where a.rule_name = v_rule.name and a.resolved_at is null;
  end if;
  return v_rule;
end
$$;

comment on function app_operator.set_alert_rule(
  text, double precision, double precision, integer, integer, boolean) is
  'Changes an alert rule; what is not given stays. One that is disabled is resolved without '
  'telling anybody. OP026 for an unknown rule, OP027 for values that make no sense.';

grant execute on function app_operator.set_alert_rule(
  text, double precision, double precision, integer, integer, boolean) to app_operator;
