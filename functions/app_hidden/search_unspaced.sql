/*
 * Letters of scripts that put no spaces between words, as the inside of a bracket of a regular
 * expression: Thai, Lao, Myanmar, Khmer, Han, kana.
 */
create or replace function app_hidden.search_unspaced()
  returns text
  language sql
  immutable
  parallel safe
  security invoker
return
  '\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff'
  '\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff';

comment on function app_hidden.search_unspaced() is
  'Letters of scripts without spaces between words, as the inside of a bracket.';

grant execute on function app_hidden.search_unspaced()
  to app_anonymous, app_account, app_moderator;
