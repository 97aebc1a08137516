/*
 * What is no part of a word, in any script, as the inside of a bracket of a regular expression:
 * white space, punctuation, symbols. Listed, and not left to the locale's classes: by these the
 * vowel signs of Indic scripts would separate words.
 */
create or replace function app_hidden.search_separators()
  returns text
  language sql
  immutable
  parallel safe
  security invoker
return
  '\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf'
  '\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02df\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6'
  '\u05f3\u05f4\u060c\u061b\u061e\u061f\u066a-\u066d\u06d4\u0964\u0965\u0e4f\u0e5a\u0e5b'
  '\u1361-\u1368\u17d4-\u17da\u2000-\u200a\u200e-\u206f\u20a0-\u20cf\u2100-\u2bff\u2e00-\u2e7f'
  '\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb\ufe10-\ufe1f\ufe30-\ufe6f'
  '\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffff\U0001f000-\U0001faff';

comment on function app_hidden.search_separators() is
  'What is no part of a word, as the inside of a bracket of a regular expression.';

grant execute on function app_hidden.search_separators()
  to app_anonymous, app_account, app_moderator;
