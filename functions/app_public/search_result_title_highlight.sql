/*
 * Computed for the results that are shown, not for all that were found. Typos are marked where the
 * score says that one had to be allowed for.
 */
create or replace function app_public.search_result_title_highlight(
  search_result app_public.search_result
)
  returns text
  language plpgsql
  stable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_words constant text[] :=
    app_hidden.search_words(app_hidden.search_fold(search_result.query));
  v_open constant boolean := search_result.query !~ '\s$';
begin
  return coalesce(
    app_hidden.search_highlight(search_result.title, v_words, v_open, search_result.score < 2),
    app_hidden.escape_html(search_result.title));
end
$$;

comment on function app_public.search_result_title_highlight(app_public.search_result) is
  E'@notNull\n'
  'Its name as HTML: what was found in it stands in mark elements.';

grant execute on function app_public.search_result_title_highlight(app_public.search_result)
  to app_anonymous, app_account, app_moderator;
