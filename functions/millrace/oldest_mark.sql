/*
 * Since when the key of a relation that has waited longest is behind. When that key would be due
 * had it been marked this moment, the relation is, and nobody has to look at all of its keys, which
 * may be hundreds of thousands. Null where that does not follow: a key that has failed waits
 * longer.
 */
create or replace function millrace.oldest_mark(id bigint)
  returns timestamptz
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_first_at timestamptz;
begin
  if exists (select from millrace.failed_key f where f.derivation = oldest_mark.id) then
    return null;
  end if;
  execute format('select min(w.first_at) from %s w', (
    select millrace.qualified_name(d.work) from millrace.derivation d where d.id = oldest_mark.id
  )) into v_first_at;
  return v_first_at;
end
$$;

comment on function millrace.oldest_mark(bigint) is
  'Since when the key of a relation that has waited longest is behind; null if one has failed.';
