/*
 * Prepares a derivation to outlive the rows of partitions: a table for what they contributed to a
 * counter, by key (and member), that its truth adds to what it counts; or for rows of a derived
 * relation, that the copy of its definition gives beside what the definition says. Done when it is
 * declared, or before the first removal, in a transaction of its own, because views that others
 * read are replaced.
 */
create or replace function millrace.partition_keep(id bigint, relation regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation;
  v_names record;
  v_kept text;
  v_key text;
  v_columns text;
  v_source text;
begin
  select d.* into v_d from millrace.derivation d where d.id = partition_keep.id;
  if exists (select from millrace.partition_kept k where k.name = v_d.name) then
    return;
  end if;
  if v_d.kind = 'counter' then
    v_names := millrace.generated(v_d);
    v_kept := millrace.generated_name(v_d.target, '__' || v_d.target_column || '__kept');
    v_key := millrace.list(v_d.target_key || millrace.member_names(v_d));
    v_columns := v_key || ', 0::numeric as n';
    v_source := case when v_d.members is null then v_names.truth else v_names.truth_members end;
  else
    v_names := millrace.relation_names(v_d.name);
    if v_d.state <> 'active' or not v_d.kept or to_regclass(v_names.next_definition) is not null
    then
      raise exception '% is not kept up at present', v_d.name using
        errcode = 'object_not_in_prerequisite_state',
        detail = format('Its state is %s.', v_d.state),
        hint = 'Try again when it is active.';
    end if;
    v_kept := millrace.fitting_name(replace(v_d.name, '.', '__') || '__kept');
    v_key := millrace.list(v_d.target_key);
    v_columns := millrace.list(v_d.columns);
    v_source := v_names.definition;
  end if;
  v_kept := format('millrace_log.%I', v_kept);
  execute format('create table %s as select %s from %s with no data', v_kept, v_columns, v_source);
  execute format('alter table %s add primary key (%s)', v_kept, v_key);
  execute format('comment on table %s is %L', v_kept, format(
    'What rows of removed partitions of %s contributed to %s.',
    millrace.qualified_name(partition_keep.relation), v_d.name));
  execute format('alter table %s owner to %s', v_kept, millrace.owner());
  insert into millrace.partition_kept (name, kind, target, relation, kept, arguments)
    values (v_d.name, v_d.kind, v_d.target, partition_keep.relation, v_kept::regclass,
      case v_d.kind
        when 'counter' then v_d.arguments
        else jsonb_build_object('key', to_jsonb(v_d.target_key))
      end);
  if v_d.kind = 'counter' then
    perform millrace.refresh_truth(v_d);
  else
    execute format(E'create or replace view %s as\n%s', v_names.definition,
      millrace.definition_text(v_d.name, v_names.definition::regclass));
  end if;
end
$$;

comment on function millrace.partition_keep(bigint, regclass) is
  'Prepares a derivation to keep what rows of removed partitions contributed.';
