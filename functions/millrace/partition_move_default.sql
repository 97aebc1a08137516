/*
 * Moves the rows of a default partition to partitions of their own, made for them: a transaction
 * for each, of about batch rows, in which the default partition is locked, so that no row is lost,
 * doubled or seen twice, whoever inserts meanwhile. Larger periods get several partitions; a larger
 * batch makes fewer, and holds up longer who reads or writes the default partition (20,000 rows:
 * some tenths of a second).
 *
 * What is derived does not change: the table keeps all its rows. An insert that was already waiting
 * for the default partition when its range was taken away gets Postgres' error 23514 and has to be
 * tried again.
 */
create or replace procedure millrace.partition_move_default(
  table_name text, batch bigint default 20000, inout moved bigint default 0
)
  language plpgsql
as $$
declare
  v_relation regclass;
  v_range record;
  v_started timestamptz;
  v_rows bigint;
  v_error text;
  v_state text;
begin
  moved := 0;
  v_relation := millrace.partition_with_default(table_name);
  loop
    v_started := clock_timestamp();
    v_range := millrace.partition_move_batch(v_relation, greatest(batch, 1));
    exit when v_range.from_time is null;
    for v_attempt in 1 .. 5 loop
      select d.rows, d.error, d.state into v_rows, v_error, v_state
        from millrace.partition_step(
          v_relation, 'fill', null, v_range.from_time, v_range.to_time) d;
      commit;
      exit when v_error is null or v_state <> '55P03';
      perform pg_sleep(0.1 * v_attempt);
    end loop;
    perform millrace.partition_log(v_relation,
      format('fill from %s to %s', v_range.from_time, v_range.to_time), v_started,
      v_rows, v_error);
    commit;
    if v_error is not null then
      raise exception '%', v_error using
        errcode = v_state,
        detail = format('%s rows were moved before.', moved),
        hint = 'What was moved stays moved. Try again.';
    end if;
    moved := moved + v_rows;
  end loop;
end
$$;

comment on procedure millrace.partition_move_default(text, bigint, bigint) is
  'Moves the rows of a table''s default partition to partitions made for them; returns how many. '
  'MR046 for a table that is not declared, MR047 where there is no default partition, or where '
  'foreign keys refer to its rows.';
