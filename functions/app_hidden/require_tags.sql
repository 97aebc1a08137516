/*
 * Tags, skills, sectors as a person typed them: in lower case, without white space around or
 * doubled, each once, in the order given; or an error that says what is wrong. The tables' check
 * constraints bound them for whoever writes without this function.
 */
create or replace function app_hidden.require_tags(tags text[], what text, max_count integer)
  returns text[]
  language plpgsql
  immutable
  parallel safe
  security invoker
  set search_path to ''
as $$
declare
  v_tags text[];
  v_long text;
begin
  select coalesce(pg_catalog.array_agg(t.tag order by t.position), '{}') into v_tags
    from (
      select w.tag, min(w.position) as position
      from (
        select
          pg_catalog.lower(
            pg_catalog.btrim(pg_catalog.regexp_replace(g.tag, '\s+', ' ', 'g'))
          ) as tag,
          g.position
        from pg_catalog.unnest(require_tags.tags) with ordinality g(tag, position)
      ) w
      where w.tag <> ''
      group by w.tag
    ) t;
  if pg_catalog.cardinality(v_tags) > require_tags.max_count then
    raise exception 'Too many %', require_tags.what using
      errcode = 'DC009',
      detail = pg_catalog.format('%s: %s', require_tags.what, pg_catalog.cardinality(v_tags)),
      hint = pg_catalog.format('Keep the %s that matter most.', require_tags.max_count);
  end if;
  select t.tag into v_long from pg_catalog.unnest(v_tags) t(tag)
    where pg_catalog.char_length(t.tag) > 30
    limit 1;
  if found then
    raise exception 'One of the % is too long', require_tags.what using
      errcode = 'DC009',
      detail = pg_catalog.format('%s: %s characters', pg_catalog.left(v_long, 60),
        pg_catalog.char_length(v_long)),
      hint = 'Each may have at most 30 characters.';
  end if;
  return v_tags;
end
$$;

comment on function app_hidden.require_tags(text[], text, integer) is
  'The tags in lower case, each once; DC009 if they are too many or one is too long.';

grant execute on function app_hidden.require_tags(text[], text, integer)
  to app_anonymous, app_account, app_moderator;
