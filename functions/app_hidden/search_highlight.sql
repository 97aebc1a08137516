/*
 * A text as HTML, with the words that a search has found in it in <mark> elements; everything else
 * is escaped. In scripts without spaces the letters that match are marked. Null if nothing matches;
 * with `typos`, words that match but for a typo are marked.
 *
 * Most of what is shown is settled by one regular expression, in which a word matches if it begins
 * with a stem; a text with letters beyond ASCII is searched for the accented forms, too. Where that
 * finds nothing in such a text, its folded form tells whether it is worth to go through it word by
 * word, which takes many times as long.
 */
create or replace function app_hidden.search_highlight(
  value text, words text[], open boolean, typos boolean
)
  returns text
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_is_plain constant boolean := search_highlight.value
    !~ '[^\u0003-\u007f\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\U0001f000-\U0001faff]';
  v_last constant text := case when search_highlight.open
    then search_highlight.words[pg_catalog.cardinality(search_highlight.words)] end;
  v_stems text[] := '{}';
  v_typos text[] := '{}';
  v_patterns text[] := '{}';
  v_word text;
  v_stem text;
  v_pattern text;
  v_folded text;
  v_found boolean := false;
  v_html text;
begin
  foreach v_word in array search_highlight.words loop
    v_stem := (pg_catalog.ts_lexize('pg_catalog.english_stem', v_word))[1];
    v_stems := v_stems || v_stem;
    -- a text without letters beyond ASCII needs no other forms of them
    v_pattern := case when v_stem <> v_word then pg_catalog.rtrim(v_stem, 'i') else v_word end;
    if not v_is_plain then
      v_pattern := app_hidden.search_pattern(v_pattern);
    end if;
    v_patterns := v_patterns || case
      when v_word in ('csharp', 'fsharp') then pg_catalog.left(v_word, 1) || '#'
      when v_word = 'cplusplus' then 'c\+\+'
      when v_stem <> v_word then v_pattern || '[[:alpha:]]*\M'
      when v_word = v_last then v_pattern || '[[:alnum:]]*\M'
      else v_pattern || '\M'
    end;
    if search_highlight.typos then
      v_typos := v_typos || app_hidden.search_typos(v_word);
    end if;
  end loop;
  if not search_highlight.typos then
    v_html := pg_catalog.regexp_replace(
      pg_catalog.translate(search_highlight.value, E'\u0001\u0002', ''),
      pg_catalog.concat('\m(?:', pg_catalog.array_to_string(v_patterns, '|'), ')'),
      E'\u0001\\&\u0002', 'gi');
    if pg_catalog.strpos(v_html, E'\u0001') > 0 then
      return pg_catalog.replace(pg_catalog.replace(
        app_hidden.escape_html(v_html), E'\u0001', '<mark>'), E'\u0002', '</mark>');
    end if;
    if v_is_plain then
      return null;
    end if;
    v_folded := app_hidden.search_fold(search_highlight.value);
    foreach v_word in array search_highlight.words || v_stems loop
      v_found := v_found or pg_catalog.strpos(v_folded, v_word) > 0;
    end loop;
    if not v_found then
      return null;
    end if;
  end if;
  select
    pg_catalog.string_agg(
      case
        when f.word is null then app_hidden.escape_html(f.gap)
        when f.folded = any (search_highlight.words)
          or pg_catalog.starts_with(f.folded, v_last)
          or pg_catalog.ts_lexize('pg_catalog.english_stem', f.folded) && v_stems
          or search_highlight.typos and app_hidden.search_typos(f.folded) && v_typos
          then '<mark>' || f.word || '</mark>'
        when not v_is_plain
          and pg_catalog.char_length(f.folded) = pg_catalog.char_length(f.word)
          and app_hidden.search_words(f.folded) && search_highlight.words
          then (
            select pg_catalog.string_agg(
              case when pg_catalog.substr(f.folded, i, 2) = any (search_highlight.words)
                or i > 1 and pg_catalog.substr(f.folded, i - 1, 2) = any (search_highlight.words)
                or pg_catalog.substr(f.folded, i, 1) = any (search_highlight.words)
                then '<mark>' || pg_catalog.substr(f.word, i, 1) || '</mark>'
                else pg_catalog.substr(f.word, i, 1) end,
              '' order by i)
            from pg_catalog.generate_series(1, pg_catalog.char_length(f.folded)) i
          )
        else f.word
      end, '' order by f.position)
    into v_html
    from (
      select p.part[1] as word, p.part[2] as gap, p.position,
        case
          when pg_catalog.octet_length(p.part[1]) = pg_catalog.char_length(p.part[1])
            and pg_catalog.right(p.part[1], 1) not in ('+', '#')
          then pg_catalog.lower(p.part[1])
          else app_hidden.search_fold(p.part[1])
        end as folded
      from pg_catalog.regexp_matches(
        search_highlight.value,
        case when v_is_plain then '(\m[A-Za-z](?:\+\+|#)|[A-Za-z0-9]+)|([^A-Za-z0-9]+)'
          else pg_catalog.format('(\m[A-Za-z](?:\+\+|#)|[^%1$s]+)|([%1$s]+)',
            app_hidden.search_separators()) end,
        'g') with ordinality p(part, position)
    ) f;
  return case when pg_catalog.strpos(v_html, '<mark>') > 0
    then pg_catalog.replace(v_html, '</mark><mark>', '') end;
end
$$;

comment on function app_hidden.search_highlight(text, text[], boolean, boolean) is
  'A text as HTML with the words found in mark elements; null if there are none.';

grant execute on function app_hidden.search_highlight(text, text[], boolean, boolean)
  to app_anonymous, app_account, app_moderator;
