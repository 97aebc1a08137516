/*
 * Evaluates all rules once: fires, resolves, and hands what changed to the webhooks. One runs at a
 * time; another returns at once. A value between the two thresholds of a rule leaves its streaks as
 * they are, so what wavers around one of them neither fires twice nor resolves.
 *
 * The measures may be given, for a rule's trial; otherwise they are taken.
 */
create or replace function app_private.evaluate_alerts(measures jsonb default null)
  returns table (rule_name text, event text)
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_rule record;
  v_alert bigint;
  v_event text;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(
    pg_catalog.hashtextextended('app_private.evaluate_alerts', 0))
  then
    return;
  end if;
  for v_rule in
    with measured as materialized (
      select m.measure, m.value, m.detail
      from app_private.measure_alerts() m
      where evaluate_alerts.measures is null
      union all
      select g.key, (g.value ->> 'value')::double precision, g.value ->> 'detail'
      from jsonb_each(evaluate_alerts.measures) g
    ),
    judged as (
      select
        r.name, m.value, m.detail, o.id as open_id,
        coalesce(
          case r.comparison when 'above' then m.value > r.threshold else m.value < r.threshold end,
          false) as is_breach,
        coalesce(
          case r.comparison
            when 'above' then m.value <= coalesce(r.clear_threshold, r.threshold)
            else m.value >= coalesce(r.clear_threshold, r.threshold)
          end,
          true) as is_clear
      from app_operator.alert_rule r
      join measured m on m.measure = r.measure
      left join app_operator.alert o on o.rule_name = r.name and o.resolved_at is null
      where r.is_enabled
    )
    update app_operator.alert_rule r
      set value = j.value, detail = j.detail, evaluated_at = clock_timestamp(),
        breaches = case when j.is_breach then r.breaches + 1 when j.is_clear then 0 else r.breaches
          end,
        clears = case when j.is_clear then r.clears + 1 when j.is_breach then 0 else r.clears end
      from judged j
      where r.name = j.name
      returning r.*, j.open_id, j.is_breach
  loop
    v_event := null;
    if v_rule.open_id is null and v_rule.is_breach and v_rule.breaches >= v_rule.fire_after then
      insert into app_operator.alert as a
        (rule_name, fired_at, value, worst_value, last_value, detail)
        values (v_rule.name, clock_timestamp(), v_rule.value, v_rule.value, v_rule.value,
          v_rule.detail)
        returning a.id into v_alert;
      v_event := 'firing';
    elsif v_rule.open_id is not null then
      v_alert := v_rule.open_id;
      update app_operator.alert a
        set last_value = v_rule.value,
          worst_value = case v_rule.comparison
            when 'above' then greatest(a.worst_value, v_rule.value)
            else least(a.worst_value, v_rule.value)
          end,
          detail = case
            when v_rule.comparison = 'above' and v_rule.value > a.worst_value
              or v_rule.comparison = 'below' and v_rule.value < a.worst_value
            then v_rule.detail
            else a.detail
          end,
          resolved_at = case when v_rule.clears >= v_rule.clear_after then clock_timestamp() end
        where a.id = v_alert;
      if v_rule.clears >= v_rule.clear_after then
        v_event := 'resolved';
      end if;
    end if;
    if v_event is not null then
      perform app_private.queue_deliveries(v_alert, v_event);
      rule_name := v_rule.name;
      event := v_event;
      return next;
    end if;
  end loop;
end
$$;

comment on function app_private.evaluate_alerts(jsonb) is
  'Evaluates the alert rules; returns those that fire or are resolved from now on.';
