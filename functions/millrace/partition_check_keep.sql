/*
 * Refuses to keep what is derived from removed rows where that is not possible: a counter that
 * looks through a table, because its contribution would change with rows that stay; a relation that
 * is refreshed as a whole, because it is what its definition gives and nothing else.
 */
create or replace function millrace.partition_check_keep(relation regclass)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
begin
  select d.* into v_d
    from millrace.derivation d
    join millrace.partition_readers(partition_check_keep.relation) r on r.id = d.id
    where d.through is not null or d.strategy = 'refresh'
    order by d.name
    limit 1;
  if v_d.strategy = 'refresh' then
    raise exception '% cannot outlive the rows that it is made of', v_d.name using
      errcode = 'MR048',
      detail = 'A refresh makes all of it again, from the rows that there are.',
      hint = 'Keep it by the strategy incremental, or let it follow the rows: '
        'keep_derived => false.';
  elsif v_d.id is not null then
    raise exception '% cannot outlive the rows that it counts', v_d.name using
      errcode = 'MR048',
      detail = 'It looks through another table, so that what a row contributes changes with a row '
        'that stays.',
      hint = format('Copy the column that is looked at into %s, or let the counter follow the '
        'rows: keep_derived => false.', millrace.qualified_name(partition_check_keep.relation));
  end if;
end
$$;

comment on function millrace.partition_check_keep(regclass) is
  'MR048 where something derived from a table cannot outlive its rows.';
