/*
 * What a word and its misspellings have in common: itself, and itself without one of its letters.
 * Two words that differ by one letter more, less or other, or by two neighbours exchanged, share
 * one of these, so a typo is found by looking up a handful of exact keys, in any script, instead of
 * comparing with all words. Short words have none: everything is one letter away from them. The
 * first character is for app_hidden.search_vector.
 */
create or replace function app_hidden.search_typos(word text)
  returns text[]
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_length constant integer := pg_catalog.char_length(search_typos.word);
  v_typos text[] := '{}';
begin
  if v_length between 4 and 24 and search_typos.word !~ '^[0-9]+$' then
    v_typos := array['~' || search_typos.word];
    for i in 1..v_length loop
      v_typos := v_typos || ('~' || overlay(search_typos.word placing '' from i for 1));
    end loop;
  end if;
  return v_typos;
end
$$;

comment on function app_hidden.search_typos(text) is
  'What a word shares with its misspellings: itself, and itself without each of its letters.';

grant execute on function app_hidden.search_typos(text)
  to app_anonymous, app_account, app_moderator;
