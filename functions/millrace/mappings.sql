/*
 * How changes of the tables that a definition reads concern its keys: what a declaration says about
 * each, checked against what the catalog says it reads. For refresh the catalog is enough.
 */
create or replace function millrace.mappings(
  definition regclass, strategy text, key_columns name[], key_types text[], sources jsonb
)
  returns millrace.mapping[]
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_read record;
  v_source record;
  v_mapping millrace.mapping;
  v_mappings millrace.mapping[] := '{}';
  v_listed regclass[] := '{}';
begin
  if mappings.strategy = 'incremental'
    and coalesce(jsonb_typeof(mappings.sources), 'null') <> 'object'
  then
    raise exception 'An incremental relation needs sources' using
      errcode = 'MR027',
      detail = format('%s reads %s.', mappings.definition, (
        select string_agg(millrace.qualified_name(r.relation), ', ')
        from millrace.definition_reads(mappings.definition) r)),
      hint = 'Say for each table how a changed row leads to keys: {"schema.table": "column"}, a '
        'query over changed, or null where its changes never matter.';
  end if;
  for v_read in
    select r.* from millrace.definition_reads(mappings.definition) r order by r.relation
  loop
    if v_read.kind = 'm' then
      if mappings.strategy = 'incremental' then
        raise exception 'The definition % reads the materialized view %',
          mappings.definition, v_read.relation using
          errcode = 'MR027',
          detail = 'A refresh does not tell which rows it changed.',
          hint = 'Keep that one incrementally too, or this one by refresh.';
      end if;
      continue;
    end if;
    if v_read.kind not in ('r', 'p') then
      raise exception 'The definition % reads %, which is no table',
        mappings.definition, v_read.relation using
        errcode = 'MR027',
        detail = 'Changes can only be logged where statement triggers fire.',
        hint = 'Read ordinary or partitioned tables.';
    end if;
    if v_read.relation::text like 'millrace%' then
      raise exception 'The definition % reads %, which belongs to the engine',
        mappings.definition, v_read.relation using
        errcode = 'MR027',
        detail = 'Live views read the engine''s own tables.',
        hint = 'Read the stored relation instead of its _live view.';
    end if;
    v_mapping := null;
    v_mapping.source := v_read.relation;
    v_mapping.columns := '{}';
    v_mapping.compared := v_read.columns;
    perform millrace.check_visible(v_read.relation);
    if mappings.strategy = 'incremental' then
      select s.key as name, s.value into v_source
        from jsonb_each(mappings.sources) s where millrace.named(s.key) = v_read.relation;
      if not found then
        raise exception 'The sources leave out %, which % reads',
          v_read.relation, mappings.definition using
          errcode = 'MR027',
          detail = 'A change there would never reach the relation.',
          hint = format('Add %s to sources: a column that holds the key, a query over changed, or '
            'null if its changes never matter.',
            to_json(millrace.qualified_name(v_read.relation)));
      end if;
      if (
        select count(*) > 1 from jsonb_object_keys(mappings.sources) s(name)
        where millrace.named(s.name) = v_read.relation
      ) then
        raise exception 'The sources name % twice', v_read.relation using
          errcode = 'MR027',
          detail = format('Sources: %s.', (
            select string_agg(s.name, ', ') from jsonb_object_keys(mappings.sources) s(name))),
          hint = 'Say once how its changes lead to keys: one query may unite several ways.';
      end if;
      v_listed := v_listed || v_read.relation;
      continue when jsonb_typeof(v_source.value) = 'null';
      select m.query, m.columns, m.key_columns
        into v_mapping.query, v_mapping.columns, v_mapping.key_columns
        from millrace.mapping_query(
          v_read.relation, v_source.value, mappings.key_columns, mappings.key_types) m;
      v_mapping.compared := array(
        select c.name from unnest(v_read.columns || v_mapping.columns) c(name)
        group by c.name order by c.name);
    end if;
    perform millrace.check_columns(v_mapping.source, v_mapping.columns, v_mapping.compared);
    v_mappings := v_mappings || v_mapping;
  end loop;
  if mappings.strategy = 'incremental' then
    for v_source in
      select s.key as name from jsonb_each(mappings.sources) s
      where coalesce(millrace.named(s.key) <> all (v_listed), true)
    loop
      perform millrace.relation(v_source.name);
      raise exception 'The definition % does not read %', mappings.definition, v_source.name using
        errcode = 'MR027',
        detail = 'Only changes of what it reads can change it.',
        hint = 'Take it out of sources, or read it in the definition.';
    end loop;
  end if;
  return v_mappings;
end
$$;

comment on function millrace.mappings(regclass, text, name[], text[], jsonb) is
  'How changes of what a definition reads concern its keys; MR027 where it is not said.';
