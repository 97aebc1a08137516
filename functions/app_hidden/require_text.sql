/*
 * A text that a person typed, without the white space around it, or an error that says what is
 * wrong with it. The tables' check constraints hold the same limits for whoever writes without
 * these functions.
 */
create or replace function app_hidden.require_text(
  value text, what text, min_length integer, max_length integer, code text
)
  returns text
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_text constant text := pg_catalog.btrim(coalesce(require_text.value, ''), E' \t\r\n');
  v_length constant integer := pg_catalog.char_length(v_text);
begin
  if v_length < require_text.min_length then
    raise exception 'The % is empty', require_text.what using
      errcode = require_text.code,
      detail = pg_catalog.format('%s: %s characters', require_text.what, v_length),
      hint = pg_catalog.format('Write between %s and %s characters.',
        require_text.min_length, require_text.max_length);
  end if;
  if v_length > require_text.max_length then
    raise exception 'The % is too long', require_text.what using
      errcode = require_text.code,
      detail = pg_catalog.format('%s: %s characters', require_text.what, v_length),
      hint = pg_catalog.format('Shorten it to %s characters.', require_text.max_length);
  end if;
  return v_text;
end
$$;

comment on function app_hidden.require_text(text, text, integer, integer, text) is
  'The text without surrounding white space; the given error if its length is out of bounds.';

grant execute on function app_hidden.require_text(text, text, integer, integer, text)
  to app_anonymous, app_account, app_moderator;
