/*
 * What one look-up of a search finds, with scores; at most `size`. Where that is not all, it looks
 * again for the popular ones and fills up with what it has found first: in titles from the top down
 * until it has as many, in texts, where looking costs more and what is found comes last, once.
 */
create or replace function app_hidden.search_tier(
  query tsquery, tier integer, folded text, size integer
)
  returns app_public.search_result[]
  language plpgsql
  stable
  parallel safe
  security invoker
  set search_path to ''
  set enable_seqscan to off
as $$
#variable_conflict use_column
declare
  v_first constant app_public.search_result[] := app_hidden.search_matches(
    search_tier.query, search_tier.tier, search_tier.folded, search_tier.size + 1);
  v_found app_public.search_result[] := '{}';
  v_popular tsquery;
begin
  if pg_catalog.cardinality(v_first) <= search_tier.size then
    return v_first;
  end if;
  foreach v_popular in array case search_tier.tier
    when 1 then
      array['''^9'' | ''^8'' | ''^7'' | ''^6''', '''^5'' | ''^4''', '''^3''', '''^2''', '''^1''']
    else array['''^9'' | ''^8'' | ''^7'' | ''^6'' | ''^5'' | ''^4'' | ''^3''']
  end::tsquery[] loop
    v_found := v_found || app_hidden.search_matches(
      search_tier.query && v_popular, search_tier.tier, search_tier.folded,
      search_tier.size - pg_catalog.cardinality(v_found));
    if pg_catalog.cardinality(v_found) >= search_tier.size then
      return v_found;
    end if;
  end loop;
  return v_found || array(
    select f::app_public.search_result from pg_catalog.unnest(v_first) f
    where f.id <> all (array(select p.id from pg_catalog.unnest(v_found) p))
    order by f.id
    limit search_tier.size - pg_catalog.cardinality(v_found)
  );
end
$$;

comment on function app_hidden.search_tier(tsquery, integer, text, integer) is
  'What one look-up of a search finds, the most popular where it finds too much.';

grant execute on function app_hidden.search_tier(tsquery, integer, text, integer)
  to app_anonymous, app_account, app_moderator;
