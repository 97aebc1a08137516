/*
 * The piece of a text that shows why it was found: some 240 characters around the first of the
 * words, cut between words. Where in the text they are is looked for in its folded form, which is a
 * little shorter: near enough for a piece that begins some words before.
 */
create or replace function app_hidden.search_snippet(value text, words text[])
  returns text
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_length constant integer := pg_catalog.char_length(search_snippet.value);
  v_folded text;
  v_word text;
  v_found integer;
  v_place integer;
  v_start integer;
  v_piece text;
begin
  if v_length <= 240 then
    return search_snippet.value;
  end if;
  v_folded := ' ' || app_hidden.search_fold(search_snippet.value);
  foreach v_word in array search_snippet.words loop
    v_found := pg_catalog.strpos(v_folded, ' ' || coalesce(
      (pg_catalog.ts_lexize('pg_catalog.english_stem', v_word))[1], v_word));
    if v_found = 0 then
      v_found := pg_catalog.strpos(v_folded,
        case when v_word ~ pg_catalog.concat('[', app_hidden.search_unspaced(), ']')
          then v_word else ' ' || v_word end);
    end if;
    v_place := least(v_place, nullif(v_found, 0));
  end loop;
  v_start := greatest(
    1,
    least(
      coalesce(v_place, 1)::bigint * v_length / pg_catalog.char_length(v_folded) - 60,
      v_length - 240)::integer);
  v_piece := pg_catalog.substr(search_snippet.value, v_start, 240);
  if v_start > 1 then
    v_piece := '…' || pg_catalog.regexp_replace(v_piece, '^\S{0,30}\s+', '');
  end if;
  if v_start + 240 <= v_length then
    v_piece := pg_catalog.regexp_replace(v_piece, '\s+\S{0,30}$', '') || '…';
  end if;
  return v_piece;
end
$$;

comment on function app_hidden.search_snippet(text, text[]) is
  'The piece of a text around the words that a search has found in it.';

grant execute on function app_hidden.search_snippet(text, text[])
  to app_anonymous, app_account, app_moderator;
