/*
 * Writes the reference counts of a distinct counter, as common table expressions over one that is
 * named <target>__<column>__change and has, for each key and member, the count that is due (n) and
 * the one that is stored. A count of zero is no row. Only the engine writes here, one run at a
 * time, so what is stored is known and a plain insert does, which costs half of an upsert.
 */
create or replace function millrace.members_sql(derivation millrace.derivation)
  returns text[]
  language sql
  stable
  set search_path to ''
begin atomic
  select array[
    format(
      E'%s as (\n'
      '  delete from %s m\n'
      '  where m.ctid = any (array(select c.row_id from %s c where c.n = 0))\n'
      '  returning 1\n'
      ')',
      quote_ident(millrace.generated_name((members_sql.derivation).target, n.stem || '__gone')),
      n.members,
      n.change),
    format(
      E'%s as (\n'
      '  update %s m\n'
      '  set n = c.n\n'
      '  from %s c\n'
      '  where m.ctid = c.row_id and c.stored <> 0 and c.n <> 0 and c.n <> c.stored\n'
      '  returning 1\n'
      ')',
      quote_ident(millrace.generated_name((members_sql.derivation).target, n.stem || '__moved')),
      n.members,
      n.change),
    format(
      E'%s as (\n'
      '  insert into %s (%s, n)\n'
      '  select %s, c.n\n'
      '  from %s c\n'
      '  where c.stored = 0 and c.n <> 0\n'
      '  returning 1\n'
      ')',
      quote_ident(millrace.generated_name((members_sql.derivation).target, n.stem || '__added')),
      n.members,
      millrace.list(n.columns),
      millrace.list(n.columns, 'c.%I'),
      n.change)
  ]
  from (
    select
      '__' || (members_sql.derivation).target_column as stem,
      (millrace.generated(members_sql.derivation)).members as members,
      quote_ident(millrace.generated_name((members_sql.derivation).target,
        '__' || (members_sql.derivation).target_column || '__change')) as change,
      (members_sql.derivation).target_key
        || millrace.member_names(members_sql.derivation) as columns
  ) n;
end;

comment on function millrace.members_sql(millrace.derivation) is
  'Writes the reference counts of a distinct counter, as common table expressions.';
