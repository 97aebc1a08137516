/*
 * Search over everything: by words, beginnings of words, word stems, in any script, and with typos
 * where nothing better is found.
 *
 * Each tier of app_hidden.search_query is one look into the index of vectors: kinds, and what a
 * better tier has found, are part of what is looked up, so no row is read that is not a result. At
 * most 200 are; where a tier finds more, the most popular of them. Texts are looked through where
 * titles give fewer than 100 results, which is the largest page, and typos where there are fewer
 * than 10.
 *
 * The score orders: the tier, then whether the title is what was searched for, begins with it or
 * holds it, then popularity, then shortness of the title. It depends on nothing but what is stored
 * and asked for, so a later page goes on where the one before ended.
 */
create or replace function app_public.search(
  query text, kinds app_public.search_kind[] default null
)
  returns setof app_public.search_result
  language plpgsql
  stable
  parallel safe
  security invoker
  rows 10
  set search_path to ''
  set enable_seqscan to off
  set jit to off
as $$
#variable_conflict use_column
declare
  c_most constant integer := 200;
  c_enough constant integer := 100;
  c_few constant integer := 10;
  v_folded constant text := app_hidden.search_fold(pg_catalog.left(search.query, 200));
  v_words constant text[] := (app_hidden.search_words(v_folded))[1:8];
  -- a space at the end says that the last word is complete
  v_open constant boolean := search.query !~ '\s$';
  v_kinds tsquery;
  v_tier_query tsquery;
  v_better tsquery;
  v_query tsquery;
  v_found app_public.search_result[] := '{}';
  v_more app_public.search_result[];
begin
  if pg_catalog.char_length(search.query) > 200 then
    raise exception 'This is too long to search for' using
      errcode = 'DC026',
      detail = pg_catalog.format('%s characters', pg_catalog.char_length(search.query)),
      hint = 'Search for at most 200 characters.';
  end if;
  if coalesce(pg_catalog.cardinality(v_words), 0) = 0 then
    return;
  end if;
  select pg_catalog.string_agg(pg_catalog.format('''%%%s''', k.kind), ' | ')::tsquery into v_kinds
    from pg_catalog.unnest(search.kinds) k(kind);
  for tier in 1..3 loop
    exit when tier = 3 and pg_catalog.cardinality(v_found) >= c_few;
    v_tier_query := app_hidden.search_query(v_words, tier, v_open);
    continue when v_tier_query is null;
    v_query := v_tier_query;
    if v_kinds is not null then
      v_query := v_query && v_kinds;
    end if;
    if v_better is not null then
      v_query := v_query && !! v_better;
    end if;
    v_better := v_tier_query;
    v_more := app_hidden.search_tier(
      v_query, tier, v_folded, c_most - pg_catalog.cardinality(v_found));
    v_found := v_found || v_more;
    exit when pg_catalog.cardinality(v_found) >= c_enough;
  end loop;
  return query
    select f.id, f.score, f.kind, f.subject_id, f.title, search.query,
      f.project_id, f.account_id, f.chain_id, f.post_id, f.investor_id
    from pg_catalog.unnest(v_found) f;
end
$$;

comment on function app_public.search(text, app_public.search_kind[]) is
  E'@behavior +order +backwards -array\n'
  '@listOrder SCORE_DESC,ID_ASC\n'
  'Finds projects, people, chains, posts and investors, the best matches first, at most 200.';

grant execute on function app_public.search(text, app_public.search_kind[])
  to app_anonymous, app_account, app_moderator;
