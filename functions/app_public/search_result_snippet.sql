/*
 * One look at the row of the search index by its key, for the results that are shown. Where title
 * or tags were found, the summary; otherwise the piece of summary or text where something was.
 */
create or replace function app_public.search_result_snippet(
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
  v_summary text;
  v_body text;
begin
  select i.summary, i.body into v_summary, v_body
    from app_hidden.search_index i
    where i.kind = search_result.kind and i.subject_id = search_result.subject_id;
  v_summary := app_hidden.search_snippet(coalesce(nullif(v_summary, ''), v_body, ''), v_words);
  return coalesce(
    app_hidden.search_highlight(v_summary, v_words, v_open, false),
    case when search_result.score < 3 then app_hidden.search_highlight(
      app_hidden.search_snippet(v_body, v_words), v_words, v_open, false) end,
    app_hidden.escape_html(v_summary));
end
$$;

comment on function app_public.search_result_snippet(app_public.search_result) is
  E'@notNull\n'
  'The piece of its text that shows why it was found, as HTML: what was found stands in mark '
  'elements.';

grant execute on function app_public.search_result_snippet(app_public.search_result)
  to app_anonymous, app_account, app_moderator;
