/*
 * Refuses numbers that cannot be added and taken away again: NaN - NaN is NaN, so a sum that met
 * one could never be right again. The derivation fails with this error until the row is gone.
 */
create or replace function millrace.finite(value numeric)
  returns numeric
  language plpgsql
  immutable
  strict
  parallel safe
  set search_path to ''
as $$
begin
  if finite.value in ('NaN', 'Infinity', '-Infinity') then
    raise exception 'A sum cannot hold %', finite.value using
      errcode = 'numeric_value_out_of_range',
      detail = 'Once added it could not be taken away again.',
      hint = 'Correct the source row; the derivation is counted again by itself.';
  end if;
  return finite.value;
end
$$;

comment on function millrace.finite(numeric) is
  'The number itself; an error (22003) for NaN and infinities.';
