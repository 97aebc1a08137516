/*
 * Empties the cache of responses of every host: announces that anything may have changed. It is
 * heard when the transaction commits. Subscribers are told too, and read again.
 */
create or replace function app_operator.clear_cache()
  returns boolean
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  select pg_catalog.pg_notify('millrace', '{"relation": "*", "keys": null}');
  select true;
$$;

comment on function app_operator.clear_cache() is
  'Empties the cache of responses of every host.';

grant execute on function app_operator.clear_cache() to app_operator;
