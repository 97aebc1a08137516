/*
 * Lets the relation that rebuild_beside has filled take the place of the old one: its name, the
 * names of its indexes, its grants, comments and, between tables, its row level security. What
 * others have built on the old relation makes Postgres refuse to drop it: then all stays as it was.
 */
create or replace function millrace.swap_relation(derivation millrace.derivation)
  returns millrace.derivation
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation := swap_relation.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_old constant regclass := v_d.target;
  v_name constant text := millrace.qualified_name(v_old);
  v_relname constant name := (parse_ident(v_name))[2];
  v_kind constant "char" := (select c.relkind from pg_catalog.pg_class c where c.oid = v_old);
  -- what rebuild_beside has called the successors of the indexes
  v_indexes constant jsonb := (
    select coalesce(
      jsonb_object_agg(millrace.fitting_name(c.relname || '__next'), c.relname), '{}')
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    where i.indrelid = v_old
  );
  v_dress constant text[] := millrace.dress_sql(v_old, v_d.columns, v_d.strategy);
  v_statement text;
  v_index record;
begin
  if v_d.strategy = 'refresh' and exists (
    select from pg_catalog.pg_class c where c.oid = v_old and c.relrowsecurity
  ) then
    raise exception '% has row level security, which a materialized view cannot have', v_old using
      errcode = 'MR023',
      detail = 'Everybody with a grant would see all rows.',
      hint = 'Keep it incrementally, or drop its policies and show it through a view.';
  end if;
  perform millrace.check_unread(v_old);
  perform millrace.drop_live(v_d.name);
  execute format('drop %s %s',
    case v_kind when 'm' then 'materialized view' else 'table' end, v_name);
  execute format('alter %s %s rename to %I',
    case v_d.strategy when 'refresh' then 'materialized view' else 'table' end,
    v_names.next, v_relname);
  v_d.target := v_name::regclass;
  for v_index in
    select c.relname, n.nspname,
      case
        when i.indisprimary then millrace.fitting_name(v_relname || '_pkey')
        else coalesce(v_indexes ->> c.relname, millrace.fitting_name(concat(
          v_relname, '_', array_to_string(v_d.target_key, '_'), '_idx')))
      end as new_name
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = v_d.target
  loop
    if v_index.relname <> v_index.new_name then
      execute format('alter index %I.%I rename to %I',
        v_index.nspname, v_index.relname, v_index.new_name);
    end if;
  end loop;
  foreach v_statement in array v_dress loop
    execute v_statement;
  end loop;
  return v_d;
end
$$;

comment on function millrace.swap_relation(millrace.derivation) is
  'Lets a newly filled relation take the place of a derived one.';
