/*
 * The columns by which a row with a key is looked up: those of a unique index within the key, or
 * all of it where there is none. What the rest of the key is follows from them.
 */
create or replace function millrace.looked_up_by(relation regclass, key name[])
  returns name[]
  language sql
  stable
  set search_path to ''
return coalesce(millrace.unique_key(looked_up_by.relation, looked_up_by.key), looked_up_by.key);

comment on function millrace.looked_up_by(regclass, name[]) is
  'The columns of a key that alone tell which row it is.';
