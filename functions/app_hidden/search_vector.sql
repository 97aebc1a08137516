/*
 * What a document is found by, as one tsvector for one index. Its lexemes are of several kinds,
 * told apart by a first character that no word has:
 *
 *   word    somewhere in the document, as written and as its English stem; words that stand in
 *           every text ("the") in the head only
 *   =word   the same in its head: title and tags
 *   <w      with which letter, and with which two, the words of the head begin
 *   ~word   what the words of the head share with their misspellings (app_hidden.search_typos)
 *   %kind   what the document is
 *   ^n      how popular it is, on a logarithmic scale from 0 to 9
 *
 * So a search for two words in the title of popular projects is an intersection inside the index,
 * and nothing is read that does not match. The beginnings are there because all words with a letter
 * are too many to look through while somebody types. Positions and weights, which only a look at
 * the row would tell apart, are left out.
 */
create or replace function app_hidden.search_vector(
  kind app_public.search_kind, head text, body text, popularity smallint
)
  returns tsvector
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_head constant text[] := app_hidden.search_words(app_hidden.search_fold(search_vector.head));
  v_body constant text[] := app_hidden.search_words(app_hidden.search_fold(search_vector.body));
  v_lexemes text[] := array[
    '%' || search_vector.kind::text, '^' || search_vector.popularity::text
  ];
  v_word text;
  v_stem text;
begin
  foreach v_word in array v_head loop
    v_stem := coalesce((pg_catalog.ts_lexize('pg_catalog.english_stem', v_word))[1], v_word);
    v_lexemes := v_lexemes || array[
      v_word, v_stem, '=' || v_word, '=' || v_stem,
      '<' || pg_catalog.left(v_word, 1), '<' || pg_catalog.left(v_word, 2)
    ];
    if pg_catalog.char_length(v_word) > 3 then
      v_lexemes := v_lexemes || app_hidden.search_typos(v_word);
    end if;
  end loop;
  foreach v_word in array v_body loop
    v_stem := (pg_catalog.ts_lexize('pg_catalog.english_stem', v_word))[1];
    if v_stem is not null then
      v_lexemes := v_lexemes || array[v_word, v_stem];
    end if;
  end loop;
  return pg_catalog.array_to_tsvector(v_lexemes);
end
$$;

comment on function app_hidden.search_vector(app_public.search_kind, text, text, smallint) is
  'What a document is found by.';

grant execute on function
  app_hidden.search_vector(app_public.search_kind, text, text, smallint)
  to app_anonymous, app_account, app_moderator;
