do $$
declare
  v_kept text;
begin
  for v_kept in select format('%s', k.kept) from millrace.partition_kept k loop
    execute format('drop table %s', v_kept);
  end loop;
end
$$;
alter table millrace.run_log drop column note;
comment on column millrace.run_log.rows is 'Log rows consumed.';
drop table millrace.partition_kept, millrace.partition_key, millrace.partition_change,
  millrace.partitioning;
