/*
 * Whether a relation is declared as it is already: nothing that its rows depend on is new, and what
 * was generated for it is there. Waits may differ: they are only noted.
 */
create or replace function millrace.is_declared(
  declared millrace.derivation, old millrace.derivation
)
  returns boolean
  language sql
  stable
  set search_path to ''
return (
  select coalesce(
    (is_declared.old).arguments - '{debounce,max_wait,max_duty}'::text[]
      = (is_declared.declared).arguments - '{debounce,max_wait,max_duty}'::text[]
    and (is_declared.old).fingerprint = (is_declared.declared).fingerprint
    and (is_declared.old).target = (is_declared.declared).target
    and to_regclass(n.definition) is not null
    and ((is_declared.declared).strategy = 'refresh' or to_regclass(n.live) is not null),
    false)
  from millrace.relation_names((is_declared.declared).name) n
);

comment on function millrace.is_declared(millrace.derivation, millrace.derivation) is
  'Whether a relation is declared as it is already.';
