/*
 * The words of a folded text (see app_hidden.search_fold), in order. Scripts that put no spaces
 * between words (Han, kana, Thai, Lao, Khmer, Myanmar) are cut into overlapping pairs of letters,
 * with the last letter by itself, so that any piece of two letters or more is found by its pairs
 * and a single letter as the beginning of one. Words longer than 64 letters are cut.
 */
create or replace function app_hidden.search_words(folded text)
  returns text[]
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_unspaced constant text := app_hidden.search_unspaced();
  v_words text[] := '{}';
  v_run text[];
  v_length integer;
begin
  if search_words.folded = '' then
    return '{}';
  end if;
  if pg_catalog.octet_length(search_words.folded) = pg_catalog.char_length(search_words.folded)
    or search_words.folded !~ pg_catalog.concat('[', v_unspaced, ']')
  then
    v_words := pg_catalog.string_to_array(search_words.folded, ' ');
    if pg_catalog.char_length(search_words.folded) > 64 then
      v_words := array(
        select pg_catalog.left(w.word, 64)
        from pg_catalog.unnest(v_words) with ordinality w(word, position) order by w.position
      );
    end if;
    return v_words;
  end if;
  for v_run in
    select pg_catalog.regexp_matches(search_words.folded,
      pg_catalog.format('([%1$s]+)|([^ %1$s]+)', v_unspaced), 'g')
  loop
    if v_run[1] is null then
      v_words := v_words || pg_catalog.left(v_run[2], 64);
    else
      v_length := pg_catalog.char_length(v_run[1]);
      v_words := v_words || array(
        select pg_catalog.substr(v_run[1], i, 2)
        from pg_catalog.generate_series(1, v_length) i order by i
      );
    end if;
  end loop;
  return v_words;
end
$$;

comment on function app_hidden.search_words(text) is
  'The words of a folded text; pairs of letters where a script puts no spaces between words.';

grant execute on function app_hidden.search_words(text)
  to app_anonymous, app_account, app_moderator;
