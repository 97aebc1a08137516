/*
 * A folded word as a regular expression that finds it in a text that is not folded: with each of
 * its letters also in the forms with accents in which Latin writes it, and two that are written as
 * one.
 */
create or replace function app_hidden.search_pattern(word text)
  returns text
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_pattern text := pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(search_pattern.word,
    'ss', '(?:ss|ß)'), 'ae', '(?:ae|æ)'), 'oe', '(?:oe|œ)');
  v_forms text;
begin
  foreach v_forms in array array[
    'aàáâãäåāăą', 'cçćĉċč', 'dďđ', 'eèéêëēĕėęě', 'gĝğġģ', 'iìíîïĩīĭįı', 'lĺļľł', 'nñńņň',
    'oòóôõöøōŏő', 'rŕŗř', 'sśŝşšș', 'tţťț', 'uùúûüũūŭůűų', 'yýÿŷ', 'zźżž'
  ] loop
    v_pattern := pg_catalog.replace(
      v_pattern, pg_catalog.left(v_forms, 1), pg_catalog.concat('[', v_forms, ']'));
  end loop;
  return v_pattern;
end
$$;

comment on function app_hidden.search_pattern(text) is
  'A folded word as a regular expression that finds it with accents, too.';

grant execute on function app_hidden.search_pattern(text)
  to app_anonymous, app_account, app_moderator;
