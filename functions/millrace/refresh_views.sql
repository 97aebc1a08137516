/*
 * Generates the views of one derivation, all from the delta rule of rows_sql: what is pending for
 * each key (refresh_pending; read by the exact read, per key) and the truth (refresh_truth; read by
 * reconcile). They also make Postgres refuse to drop a column that the derivation needs. A distinct
 * counter has a reference count for each key and member, in a table that only the engine writes.
 */
create or replace function millrace.refresh_views(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := refresh_views.derivation;
  v_names constant record := millrace.generated(v_d);
  v_key constant text := millrace.list(v_d.target_key);
  v_member_list constant text := millrace.list(millrace.member_names(v_d));
begin
  perform millrace.drop_views(v_d);
  perform millrace.refresh_truth(v_d);
  if v_d.members is not null then
    execute format(E'create table %s as select %s, %s, n::bigint as n from %s with no data',
      v_names.members, v_key, v_member_list, v_names.truth_members);
    execute format('alter table %s add primary key (%s, %s)',
      v_names.members, v_key, v_member_list);
    execute format('comment on table %s is %L', v_names.members,
      format('How many rows of the source name a member, for %s; written by the engine only.',
        v_d.name));
  end if;
  perform millrace.refresh_pending(v_d);
end
$$;

comment on function millrace.refresh_views(millrace.derivation) is
  'Generates the views, and for a distinct counter the members table, of a derivation.';
