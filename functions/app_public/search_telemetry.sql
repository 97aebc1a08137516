/*
 * Events whose payload contains what is looked for, newest first, the latest 1,000.
 *
 * Runs as its owner: containment is not leakproof, so under a policy it could not be asked of an
 * index. It gives its rows to moderators and operators alone, as the policies of the table do, and
 * it is not inlined, so it ends by itself at 1,000 rows.
 */
create or replace function app_public.search_telemetry(
  payload jsonb, since date default null, until date default null, kind text default null
)
  returns setof app_public.telemetry_event
  language plpgsql
  stable
  parallel restricted
  security definer
  rows 100
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_until constant date := coalesce(search_telemetry.until, current_date + 1);
  v_since constant date := coalesce(search_telemetry.since, search_telemetry.until, current_date);
begin
  if not app_hidden.is_moderator() and current_setting('role') <> 'app_operator' then
    return;
  end if;
  return query
    select e.* from app_public.telemetry_event e
    where e.payload @> search_telemetry.payload
      and e.day between v_since and v_until
      and e.occurred_at >= v_since::timestamptz and e.occurred_at < (v_until + 1)::timestamptz
      and (search_telemetry.kind is null or e.kind = search_telemetry.kind)
    order by e.day desc, e.occurred_at desc, e.id desc
    limit 1000;
end
$$;

comment on function app_public.search_telemetry(jsonb, date, date, text) is
  E'@behavior +order +backwards -array\n'
  '@listOrder DAY_DESC,OCCURRED_AT_DESC,ID_DESC,ACCOUNT_ID_DESC\n'
  'Events of the days from since to until (today if none is given) whose payload contains this, '
  'newest first, 1,000 at most. For moderators.';

grant execute on function app_public.search_telemetry(jsonb, date, date, text)
  to app_anonymous, app_account, app_moderator, app_operator;
