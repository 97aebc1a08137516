/*
 * Marks the keys of a reaction to which rows of its source lead: those of the table itself, or the
 * images in its log.
 */
create or replace function millrace.mark_rows(
  derivation millrace.derivation, rows text, recorded_at timestamptz
)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set row_security to off
as $$
declare
  v_d constant millrace.derivation := mark_rows.derivation;
  v_mapping millrace.mapping;
begin
  select m.* into strict v_mapping from millrace.mapping m where m.derivation = v_d.id;
  execute format(
    E'insert into %s (first_at, %s)\n'
    'select distinct $1, %s from (\n%s\n) k(%s) where %s',
    millrace.qualified_name(v_d.work),
    millrace.list(v_d.target_key),
    millrace.list(v_d.target_key, 'k.%I'),
    millrace.mapped_sql(v_mapping.query, v_mapping.columns, mark_rows.rows),
    millrace.list(v_d.target_key),
    millrace.list(v_d.target_key, 'k.%I is not null', ' and '))
    using mark_rows.recorded_at;
end
$$;

comment on function millrace.mark_rows(millrace.derivation, text, timestamptz) is
  'Marks the keys of a reaction to which rows of a table or a log lead.';
