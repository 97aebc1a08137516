/*
 * Makes the table that is to become a partition, empty and not yet attached: like the partitioned
 * table in columns, defaults, checks, indexes, statistics, tablespace and access method, and with
 * the storage parameters of the newest partition. Identity columns belong to the partitioned table
 * alone; foreign keys and row triggers come when it is attached.
 *
 * Nobody but the owner may touch it: privileges and policies are the partitioned table's, and a
 * write that goes past that one would fire none of its statement triggers. from_time is null for
 * the default partition.
 */
create or replace function millrace.partition_table(relation regclass, from_time timestamptz)
  returns regclass
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_parent record;
  v_name text;
  v_options text[];
  v_grantee text;
begin
  select c.*, n.nspname, s.spcname, m.amname, p.period into v_parent
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join millrace.partitioning p on p.relation = c.oid
    left join pg_catalog.pg_tablespace s on s.oid = c.reltablespace
    -- since Postgres 17 a partitioned table can have one
    left join pg_catalog.pg_am m on m.oid = c.relam
    where c.oid = partition_table.relation;
  v_name := format('%I.%I', v_parent.nspname, millrace.partition_name(
    partition_table.relation, partition_table.from_time, v_parent.period));
  execute format('create table %s (like %s including all excluding identity)%s%s',
    v_name,
    millrace.qualified_name(partition_table.relation),
    ' using ' || quote_ident(v_parent.amname),
    ' tablespace ' || quote_ident(v_parent.spcname));

  select c.reloptions into v_options
    from millrace.partition_bounds(partition_table.relation) b
    join pg_catalog.pg_class c on c.oid = b.partition and c.relkind = 'r'
    where not b.is_default
    order by b.from_time desc
    limit 1;
  if v_options is not null then
    execute format('alter table %s set (%s)', v_name, (
      select string_agg(
        format('%s = %L',
          split_part(o.option, '=', 1), substr(o.option, strpos(o.option, '=') + 1)),
        ', ')
      from unnest(v_options) o(option)
    ));
  end if;
  if v_parent.relreplident in ('f', 'n') then
    execute format('alter table %s replica identity %s', v_name,
      case v_parent.relreplident when 'f' then 'full' else 'nothing' end);
  end if;
  if v_parent.relrowsecurity then
    execute format('alter table %s enable row level security', v_name);
  end if;
  if v_parent.relowner <> current_user::regrole then
    execute format('alter table %s owner to %s', v_name, v_parent.relowner::regrole);
  end if;
  -- what default privileges may have given
  for v_grantee in
    select distinct case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
    from pg_catalog.pg_class c
    cross join lateral aclexplode(c.relacl) a
    where c.oid = v_name::regclass and a.grantee <> c.relowner
  loop
    execute format('revoke all on table %s from %s', v_name, v_grantee);
  end loop;
  return v_name::regclass;
end
$$;

comment on function millrace.partition_table(regclass, timestamptz) is
  'Makes an empty table that can be attached as a partition.';
