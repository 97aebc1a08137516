/*
 * A name that fits into Postgres' 63 bytes: a longer one is cut and made unique by a hash, so that
 * two long names never meet.
 */
create or replace function millrace.fitting_name(name text)
  returns name
  language sql
  immutable
  set search_path to ''
return case
  when octet_length(fitting_name.name) <= 63 then fitting_name.name
  else concat(
    left(
      fitting_name.name,
      case when octet_length(left(fitting_name.name, 40)) <= 50 then 40 else 12 end
    ),
    '_', left(md5(fitting_name.name), 12))
end;

comment on function millrace.fitting_name(text) is 'The name, cut and hashed where it is too long.';
