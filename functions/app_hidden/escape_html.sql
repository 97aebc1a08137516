create or replace function app_hidden.escape_html(value text)
  returns text
  language sql
  immutable
  parallel safe
  security invoker
return replace(replace(replace(escape_html.value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;');

comment on function app_hidden.escape_html(text) is
  'A text as it stands between the tags of HTML.';

grant execute on function app_hidden.escape_html(text) to app_anonymous, app_account, app_moderator;
