/*
 * Refuses what cannot be the key of a derived relation or a reaction: columns that do not exist or
 * come twice, names that a table of waiting keys uses itself, types without equality, and types
 * that a JSON array does not give back as they were: jobs, errors and logs name a key by one.
 */
create or replace function millrace.check_key(relation regclass, key text[])
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_column record;
begin
  if coalesce(cardinality(check_key.key), 0) = 0 then
    raise exception 'No key is given for %', check_key.relation using
      errcode = 'MR008',
      detail = 'A derived relation is kept, and a reaction runs, key by key.',
      hint = 'Name the columns that identify a row, or for which a task runs: ''{id}''.';
  end if;
  perform millrace.check_names(check_key.relation, check_key.key);
  perform millrace.check_equality(check_key.relation, check_key.key);
  for v_column in
    with recursive type(position, oid, typtype, typcategory, typbasetype) as (
      select k.position, t.oid, t.typtype, t.typcategory, t.typbasetype
      from unnest(check_key.key) with ordinality k(name, position)
      join pg_catalog.pg_attribute a on a.attrelid = check_key.relation and a.attname = k.name
      join pg_catalog.pg_type t on t.oid = a.atttypid
      union all
      select d.position, t.oid, t.typtype, t.typcategory, t.typbasetype
      from type d
      join pg_catalog.pg_type t on t.oid = d.typbasetype
      where d.typtype = 'd'
    )
    select
      k.name,
      millrace.column_type(check_key.relation, k.name) as type_name,
      k.name = any (check_key.key[:k.position - 1]) as is_repeated,
      k.name in ('first_at', 'marked_at', 'marks') as is_reserved,
      not millrace.has_equality(check_key.relation, k.name) as is_incomparable,
      t.typtype = 'c' or t.typcategory = 'A' or t.oid in ('json'::regtype, 'jsonb'::regtype)
        or exists (
          select from pg_catalog.pg_cast c
          where c.castsource = t.oid and c.casttarget = 'json'::regtype
        ) as is_structured
    from unnest(check_key.key) with ordinality k(name, position)
    join type t on t.position = k.position and t.typtype <> 'd'
    order by k.position
  loop
    if v_column.is_repeated then
      raise exception 'The column % is in the key twice', v_column.name using
        errcode = 'MR008',
        detail = format('Key: %s.', array_to_string(check_key.key, ', ')),
        hint = 'Name each column once.';
    end if;
    if v_column.is_reserved then
      raise exception 'The column % of % has a name that the engine uses itself',
        v_column.name, check_key.relation using
        errcode = 'MR011',
        detail = 'Keys wait with their marks, first_at and marked_at.',
        hint = 'Give the column another name: in the definition, or by a generated column.';
    end if;
    if v_column.is_incomparable or v_column.is_structured then
      raise exception 'The column % of % has type %, which cannot be a key',
        v_column.name, check_key.relation, v_column.type_name using
        errcode = 'MR004',
        detail = case
          when v_column.is_incomparable then 'A key is looked up, and the type has no equality.'
          else 'Keys are written as JSON, and arrays, rows and JSON do not come back from it as '
            'they were.'
        end,
        hint = 'Use a column of a plain type, or cast it: ::text.';
    end if;
  end loop;
end
$$;

comment on function millrace.check_key(regclass, text[]) is
  'Refuses what cannot be a key: MR002, MR004, MR008, MR011.';
