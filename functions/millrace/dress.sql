/*
 * Brings what a derived relation is seen by up to date: the live view gets the grants and the row
 * level security of the stored relation, and both the smart comments by which PostGraphile knows
 * their keys. Grants and policies are carried together, so the live view never shows a row that the
 * relation would hide. Called by every declaration, and again when a file of declarations ends,
 * because grants and policies are written after the declaration.
 */
create or replace function millrace.dress(id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation;
  v_names record;
  v_live regclass;
  v_tags text;
  v_text text;
  v_own text;
  v_tagged constant text := '^(@[^\n]*(\n|$))+';
  -- what this function wrote the last time
  v_generated constant text :=
    '^(@(behavior -insert -update -delete|primaryKey|foreignKey)[^\n]*(\n|$))+';
  v_column record;
  v_relation regclass;
  v_origins jsonb;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = dress.id;
  v_names := millrace.relation_names(v_d.name);
  v_live := to_regclass(v_names.live);
  if v_live is not null then
    if to_regclass(v_names.next_definition) is null then
      perform millrace.make_views(v_d);
    else
      -- until the rebuild, the live view has the columns that it had
      v_d.columns := array(
        select a.attname from pg_catalog.pg_attribute a
        where a.attrelid = v_live and a.attnum > 0 order by a.attnum
      );
      execute millrace.live_sql(v_d);
    end if;
    perform millrace.dress_live(v_d);
  end if;

  -- read once: the parse trees of large views take milliseconds
  v_origins := (
    select jsonb_agg(jsonb_build_object(
      'name', o.name, 'relation', o.relation::oid, 'attnum', o.attnum))
    from millrace.column_origins(v_names.definition::regclass) o
  );
  v_tags := millrace.smart_tags(v_d);
  v_text := regexp_replace(
    coalesce(obj_description(v_d.target, 'pg_class'), ''), v_generated, '');
  foreach v_relation in array array_remove(array[v_d.target, v_live], null) loop
    v_own := regexp_replace(
      coalesce(obj_description(v_relation, 'pg_class'), ''), v_generated, '');
    execute format('comment on %s %s is %L',
      case (select c.relkind from pg_catalog.pg_class c where c.oid = v_relation)
        when 'm' then 'materialized view' when 'v' then 'view' else 'table' end,
      millrace.qualified_name(v_relation),
      concat_ws(E'\n', '@behavior -insert -update -delete',
        case when v_relation = v_live or v_d.strategy = 'refresh'
          then '@primaryKey ' || array_to_string(v_d.target_key, ',') end,
        nullif(v_tags, ''),
        -- each has the tags that were written for it, both have the same description
        nullif(rtrim(left(
          v_own, length(v_own) - length(regexp_replace(v_own, v_tagged, ''))), E'\n'), ''),
        nullif(coalesce(
          nullif(regexp_replace(v_text, v_tagged, ''), ''),
          regexp_replace(obj_description(to_regclass(v_d.definition), 'pg_class'), v_tagged, '')),
          '')));
    for v_column in
      select a.attname, coalesce(
          col_description(v_d.target, t.attnum),
          -- tags of what it reads are about that
          regexp_replace(coalesce(
              col_description(to_regclass(v_d.definition), v.attnum),
              col_description(o.relation, o.attnum)),
            v_tagged, '')) as comment
      from pg_catalog.pg_attribute a
      left join pg_catalog.pg_attribute t on t.attrelid = v_d.target and t.attname = a.attname
      left join pg_catalog.pg_attribute v
        on v.attrelid = to_regclass(v_d.definition) and v.attname = a.attname
      left join jsonb_to_recordset(v_origins) o(name name, relation oid, attnum smallint)
        on o.name = a.attname
      where a.attrelid = v_relation and a.attnum > 0 and not a.attisdropped
    loop
      if v_column.comment is not null then
        execute format('comment on column %s.%I is %L', millrace.qualified_name(v_relation),
          v_column.attname, v_column.comment);
      end if;
    end loop;
  end loop;
end
$$;

comment on function millrace.dress(bigint) is
  'Brings grants, row level security and smart comments of a derived relation up to date.';
