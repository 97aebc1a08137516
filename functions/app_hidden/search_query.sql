/*
 * What a search looks up for its words, which all have to be there. A tier is how well they match:
 *
 *   1  in the head: title and tags
 *   2  anywhere
 *   3  anywhere, or in the head with a typo
 *
 * A word is looked up as written and by its English stem, the last one also as the beginning of a
 * word: it may not have been typed to its end. One or two letters begin words of the head only.
 * Words that stand in every text count only where there are no others. Null where a tier finds
 * nothing that the one before does not find: no word is long enough to have typos.
 */
create or replace function app_hidden.search_query(words text[], tier integer, open boolean)
  returns tsquery
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_count constant integer := pg_catalog.cardinality(search_query.words);
  v_mark constant text := case search_query.tier when 1 then '=' else '' end;
  v_query text[] := '{}';
  v_filler text[] := '{}';
  v_any text[];
  v_typos text[];
  v_has_typos boolean := false;
  v_word text;
  v_stems text[];
begin
  for i in 1..v_count loop
    v_word := search_query.words[i];
    v_stems := pg_catalog.ts_lexize('pg_catalog.english_stem', v_word);
    v_any := array[v_mark || v_word || ''''];
    if search_query.open and i = v_count then
      if pg_catalog.octet_length(v_word) > 2 then
        v_any := array[v_mark || v_word || ''':*'];
      elsif search_query.tier = 1 then
        v_any := array['<' || v_word || ''''];
      end if;
    end if;
    if v_stems[1] <> v_word then
      v_any := v_any || (v_mark || v_stems[1] || '''');
    end if;
    if search_query.tier = 3 then
      v_typos := app_hidden.search_typos(v_word);
      v_has_typos := v_has_typos or pg_catalog.cardinality(v_typos) > 0;
      v_any := v_any || array(select t.typo || '''' from pg_catalog.unnest(v_typos) t(typo));
    end if;
    if v_stems = '{}' then
      v_filler := v_filler || ('(''' || pg_catalog.array_to_string(v_any, ' | ''') || ')');
    else
      v_query := v_query || ('(''' || pg_catalog.array_to_string(v_any, ' | ''') || ')');
    end if;
  end loop;
  if search_query.tier = 3 and not v_has_typos then
    return null;
  end if;
  if v_query = '{}' then
    v_query := v_filler;
  end if;
  return pg_catalog.array_to_string(v_query, ' & ')::tsquery;
end
$$;

comment on function app_hidden.search_query(text[], integer, boolean) is
  'What is looked up for the words of a search, by how well they have to match.';

grant execute on function app_hidden.search_query(text[], integer, boolean)
  to app_anonymous, app_account, app_moderator;
