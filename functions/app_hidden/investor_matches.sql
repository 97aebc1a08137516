/*
 * The filter of find_investors; what is null is not asked for. A function of its own, and not
 * inlined, because of how the planner sees it: behind row level security it knows nothing of what
 * arrays hold, takes any filter on one for so rare that all rows have to be read, and sorts them.
 * Of a function it expects every third row, and goes on along the index of the order.
 */
create or replace function app_hidden.investor_matches(
  investor app_public.investor_directory,
  stage app_public.investor_stage,
  sector text,
  open_only boolean
)
  returns boolean
  language plpgsql
  immutable
  parallel safe
  security invoker
  cost 1
  set search_path to ''
as $$
begin
  return (investor_matches.stage is null or investor_matches.stage = any (investor.stages))
    and (investor_matches.sector is null or investor_matches.sector = any (investor.sectors))
    and (investor_matches.open_only is not true or investor.is_open);
end
$$;

comment on function app_hidden.investor_matches(
  app_public.investor_directory, app_public.investor_stage, text, boolean
) is
  'Whether an investor is what somebody looks for; what is null is not asked for.';

grant execute on function app_hidden.investor_matches(
  app_public.investor_directory, app_public.investor_stage, text, boolean
)
  to app_anonymous, app_account, app_moderator;
