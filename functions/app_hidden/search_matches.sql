/* At most `size` rows that match, in the order in which the index gives them, with their scores. */
create or replace function app_hidden.search_matches(
  query tsquery, tier integer, folded text, size integer
)
  returns app_public.search_result[]
  language plpgsql
  stable
  parallel safe
  security invoker
  set search_path to ''
  set enable_seqscan to off
as $$
#variable_conflict use_column
begin
  return array(
    select (
      i.kind || ':' || i.subject_id,
      4 - search_matches.tier
        + case
          when i.folded_title = search_matches.folded then 0.5
          when pg_catalog.starts_with(i.folded_title, search_matches.folded) then 0.35
          when pg_catalog.strpos(' ' || i.folded_title, ' ' || search_matches.folded) > 0 then 0.25
          else 0
        end
        + 0.03 * i.popularity
        + 0.2 / (1 + pg_catalog.char_length(i.folded_title)),
      i.kind, i.subject_id, i.title, null,
      case i.kind when 'project' then i.subject_id end,
      case i.kind when 'person' then i.subject_id end,
      case i.kind when 'chain' then i.subject_id end,
      case i.kind when 'post' then i.subject_id end,
      case i.kind when 'investor' then i.subject_id end
    )::app_public.search_result
    from app_hidden.search_index i
    where i.vector @@ search_matches.query
    limit search_matches.size
  );
end
$$;

comment on function app_hidden.search_matches(tsquery, integer, text, integer) is
  'Rows of the search index that match, with their scores.';

grant execute on function app_hidden.search_matches(tsquery, integer, text, integer)
  to app_anonymous, app_account, app_moderator;
