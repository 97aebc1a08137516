/*
 * A text as search sees it: words in lower case without accents, with single spaces between them.
 * Compatibility forms (ligatures, full width) become what they stand for, marks above and below
 * letters go, and letters that are no letter with a mark are written out: ß, ø, æ. What is no part
 * of a word in any script is a space; c++ and c# are words.
 *
 * Case is folded as the database does, which for letters beyond ASCII needs a locale other than C.
 * No extension: unaccent knows Latin, Greek and Cyrillic only, and not every Postgres has it.
 */
create or replace function app_hidden.search_fold(value text)
  returns text
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_text text := pg_catalog.lower(search_fold.value);
begin
  if pg_catalog.octet_length(v_text) <> pg_catalog.char_length(v_text) then
    v_text := pg_catalog.regexp_replace(
      pg_catalog.lower(normalize(v_text, nfkd)),
      -- combining marks, points of Hebrew and Arabic, and what is not seen at all
      '[\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7'
        '\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed'
        '\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200d\u2060\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f'
        '\ufeff]+',
      '', 'g');
    v_text := pg_catalog.translate(normalize(v_text, nfkc), 'øđðłħıŧƀɵς', 'oddlhitboσ');
    if v_text ~ '[ßæœþĳ]' then
      v_text := pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(
        v_text, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
    end if;
  end if;
  if v_text ~ '[a-z](\+\+|#)' then
    v_text := pg_catalog.regexp_replace(
      pg_catalog.regexp_replace(v_text, '\m([a-z])\+\+', '\1plusplus', 'g'),
      '\m([a-z])#', '\1sharp', 'g');
  end if;
  if pg_catalog.octet_length(v_text) = pg_catalog.char_length(v_text) then
    return pg_catalog.btrim(pg_catalog.regexp_replace(v_text, '[^a-z0-9]+', ' ', 'g'));
  end if;
  return pg_catalog.btrim(pg_catalog.regexp_replace(
    v_text, pg_catalog.concat('[', app_hidden.search_separators(), ']+'), ' ', 'g'));
end
$$;

comment on function app_hidden.search_fold(text) is
  'The words of a text in lower case without accents, with single spaces between them.';

grant execute on function app_hidden.search_fold(text) to app_anonymous, app_account, app_moderator;
