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
  v_grant record;
  v_tags text;
  v_comment text;
  v_column record;
  v_relation regclass;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = dress.id;
  v_names := millrace.relation_names(v_d.name);
  v_live := to_regclass(v_names.live);
  if v_live is not null and to_regclass(v_names.next_definition) is null then
    perform millrace.make_views(v_d);
  end if;
  if v_live is not null then
    for v_grant in
      select distinct
        case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end
          as grantee
      from pg_catalog.pg_class c
      cross join lateral aclexplode(c.relacl) x
      where c.oid = v_live and x.grantee <> c.relowner
    loop
      execute format('revoke all on %s from %s', v_names.live, v_grant.grantee);
    end loop;
    for v_grant in
      select distinct
        case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end
          as grantee
      from pg_catalog.pg_class c
      cross join lateral aclexplode(c.relacl) x
      where c.oid = v_d.target and x.grantee <> c.relowner and x.privilege_type = 'SELECT'
    loop
      execute format('grant select on %s to %s', v_names.live, v_grant.grantee);
    end loop;
  end if;

  v_tags := millrace.smart_tags(v_d);
  foreach v_relation in array array_remove(array[v_d.target, v_live], null) loop
    v_comment := regexp_replace(
      coalesce(obj_description(v_relation, 'pg_class'),
        obj_description(v_d.target, 'pg_class'),
        obj_description(to_regclass(v_d.definition), 'pg_class'), ''),
      '^(@(behavior -insert -update -delete|primaryKey|foreignKey)[^\n]*(\n|$))+', '');
    execute format('comment on %s %s is %L',
      case (select c.relkind from pg_catalog.pg_class c where c.oid = v_relation)
        when 'm' then 'materialized view' when 'v' then 'view' else 'table' end,
      millrace.qualified_name(v_relation),
      concat_ws(E'\n', '@behavior -insert -update -delete',
        case when v_relation = v_live or v_d.strategy = 'refresh'
          then '@primaryKey ' || array_to_string(v_d.target_key, ',') end,
        nullif(v_tags, ''), nullif(v_comment, '')));
    for v_column in
      select a.attname, coalesce(
          col_description(v_d.target, t.attnum),
          -- tags of what it reads are about that
          regexp_replace(coalesce(
              col_description(to_regclass(v_d.definition), v.attnum),
              col_description(o.relation, o.attnum)),
            '^(@[^\n]*(\n|$))+', '')) as comment
      from pg_catalog.pg_attribute a
      left join pg_catalog.pg_attribute t on t.attrelid = v_d.target and t.attname = a.attname
      left join pg_catalog.pg_attribute v
        on v.attrelid = to_regclass(v_d.definition) and v.attname = a.attname
      left join millrace.column_origins(v_names.definition::regclass) o on o.name = a.attname
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
