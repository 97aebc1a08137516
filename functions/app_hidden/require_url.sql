/*
 * A web address that a person typed, without the white space around it; null for an empty one. Only
 * http and https: a client makes a link of it, and javascript: would be one too.
 */
create or replace function app_hidden.require_url(url text)
  returns text
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_url constant text := pg_catalog.btrim(require_url.url, E' \t\r\n');
begin
  if v_url = '' then
    return null;
  end if;
  if v_url !~ '^https?://[^[:space:]]+$' or pg_catalog.char_length(v_url) > 500 then
    raise exception 'This is no web address' using
      errcode = 'DC010',
      detail = pg_catalog.left(v_url, 100),
      hint = 'Write one that begins with https:// or http:// and has at most 500 characters.';
  end if;
  return v_url;
end
$$;

comment on function app_hidden.require_url(text) is
  'The address without surrounding white space, null for an empty one; DC010 if it is none.';

grant execute on function app_hidden.require_url(text)
  to app_anonymous, app_account, app_moderator;
