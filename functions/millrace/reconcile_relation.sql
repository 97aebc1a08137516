/*
 * Reconciles a batch of a derived relation and returns what it found: the next `size` keys after
 * one, or those that are listed; a materialized view as a whole. Rows that differ are recomputed at
 * once. The caller holds the relation's lock since an earlier statement: nobody else writes it.
 * last_key is null when there are no more.
 */
create or replace function millrace.reconcile_relation(
  id bigint, repair boolean,
  after text[] default null, size integer default 2000, listed jsonb default null,
  out results jsonb, out last_key text[]
)
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
  set jit to off
  set row_security to off
as $$
declare
  v_d millrace.derivation;
  v_keys jsonb;
  v_run record;
begin
  select d.* into v_d from millrace.derivation d where d.id = reconcile_relation.id;
  if v_d.kept is not true or v_d.state <> 'active' then
    return;
  end if;
  -- fails in a transaction whose snapshot is older than another run
  update millrace.progress p set number = p.number + 1 where p.derivation = v_d.id;
  if v_d.strategy = 'refresh' then
    execute millrace.compare_sql(v_d, 'range') into results, v_keys;
  elsif reconcile_relation.listed is not null then
    execute millrace.compare_sql(v_d, 'listed') into results, v_keys
      using reconcile_relation.listed;
  else
    execute format(
      'select array[%s] from %s where $1 is null or (%s) > (%s) '
      'order by %3$s offset $2 - 1 limit 1',
      millrace.list(v_d.target_key, '%I::text'),
      millrace.qualified_name(v_d.target),
      millrace.list(v_d.target_key),
      millrace.text_key_sql(v_d, '$1'))
      into last_key
      using reconcile_relation.after, reconcile_relation.size;
    execute millrace.compare_sql(v_d, 'range') into results, v_keys
      using reconcile_relation.after, last_key;
  end if;
  if not reconcile_relation.repair or v_keys = '[]' then
    return;
  end if;
  if v_d.strategy = 'refresh' then
    perform millrace.remake(v_d);
    return;
  end if;
  v_run := millrace.recompute_keys(v_d, null, null, null, v_keys);
  if v_d.notifies then
    perform millrace.announce(millrace.qualified_name(v_d.target), v_run.changed);
  end if;
end
$$;

comment on function millrace.reconcile_relation(bigint, boolean, text[], integer, jsonb) is
  'Reconciles a batch of keys of a derived relation: results by derivation, last key.';
