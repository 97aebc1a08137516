/*
 * Counts what was there before a target row appeared. Only for targets whose keys no foreign key guards: a source
 * row may then be older than the row that it counts for.
 */
create or replace function millrace.count_new_rows(pending regclass[])
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_target record;
begin
  for v_target in
    select d.target, array_agg(d.name) as names
    from millrace.derivation d
    where d.state in ('active', 'backfilling')
      and to_regclass((millrace.generated(d)).new_rows) = any (count_new_rows.pending)
    group by d.target
  loop
    perform millrace.reconcile_target(v_target.names, 'new', true, null, null);
  end loop;
end
$$;

comment on function millrace.count_new_rows(regclass[]) is
  'Counts for target rows that appeared after the rows that count for them.';
