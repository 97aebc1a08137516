/*
 * Fills a new relation beside the old one, with the indexes that the old one has on columns that
 * are left.
 */
create or replace function millrace.rebuild_beside(derivation millrace.derivation, definition text)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d constant millrace.derivation := rebuild_beside.derivation;
  v_next constant text := (millrace.relation_names(v_d.name)).next;
  v_index record;
  v_rows bigint;
begin
  perform millrace.make_relation(v_d, v_next, rebuild_beside.definition, true);
  for v_index in
    select
      c.relname,
      i.indisunique,
      substring(pg_get_indexdef(i.indexrelid) from ' USING .*$') as definition
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    where i.indrelid = v_d.target and not i.indisprimary
      -- the one on the key is made with the relation
      and not (i.indisunique and i.indpred is null and i.indexprs is null and array(
        select a.attname from pg_catalog.pg_attribute a
        where a.attrelid = i.indrelid and a.attnum = any (i.indkey::smallint[])
      ) <@ v_d.target_key)
      and not exists (
        select from pg_catalog.pg_depend d
        join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
          and d.refobjid = i.indrelid and a.attname <> all (v_d.columns)
      )
  loop
    execute format('create %sindex %I on %s%s',
      case when v_index.indisunique then 'unique ' else '' end,
      millrace.fitting_name(v_index.relname || '__next'), v_next, v_index.definition);
  end loop;
  execute format('select count(*) from %s', v_next) into v_rows;
  return v_rows;
end
$$;

comment on function millrace.rebuild_beside(millrace.derivation, text) is
  'Fills a new relation beside a derived one; returns its rows.';
