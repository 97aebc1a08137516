/*
 * Gives up what a counter or a derived relation keeps of rows that were removed with their
 * partitions: it is made again, of the rows that there are.
 */
create or replace function millrace.partition_forget(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_kept millrace.partition_kept;
  v_d millrace.derivation;
  v_definition regclass;
begin
  select d.* into v_d from millrace.derivation d where d.name = partition_forget.name;
  if v_d.kind = 'materialize' then
    perform millrace.lock_relation(v_d.id);
  end if;
  perform millrace.lock_engine();
  delete from millrace.partition_kept k
    where k.name = partition_forget.name
    returning k.* into v_kept;
  if not found then
    raise exception '% keeps nothing of removed partitions',
      coalesce(partition_forget.name, 'null') using
      errcode = 'MR046',
      detail = 'Only what was declared with keep_derived keeps something.',
      hint = 'select name from millrace.partition_kept lists what does.';
  end if;
  if v_d.kind = 'counter' then
    perform millrace.refresh_truth(v_d);
  elsif v_d.id is not null then
    v_definition := to_regclass(v_d.definition);
    if v_definition is null or millrace.fingerprint(v_definition) <> v_d.fingerprint then
      raise exception 'The definition of % has changed', v_d.name using
        errcode = 'MR048',
        detail = format('%s is not what the relation was declared by.', v_d.definition),
        hint = 'Declare the relation again, then give up what is kept.';
    end if;
    execute format(E'create or replace view %s as\n%s',
      (millrace.relation_names(v_d.name)).definition, pg_get_viewdef(v_definition));
  end if;
  update millrace.derivation d
    set state = 'backfilling', backfill_after = null, kept = d.kind = 'counter'
    where d.id = v_d.id and d.state <> 'paused';
  execute format('drop table if exists %s', millrace.qualified_name(v_kept.kept));
end
$$;

comment on function millrace.partition_forget(text) is
  'Gives up what a derivation keeps of removed partitions; it is made again. MR046 if nothing.';
