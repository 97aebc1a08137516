/*
 * Indexes that may be missing, and such that may go.
 *
 * duplicate: another index of the table has the same columns, classes, collations and predicate, or
 * begins with them and this one is not unique. unused: no scan was noticed in seven days of
 * watching (app_private.index_use), and it guards nothing. missing: scans of the whole table have
 * read over a million rows, more than indexes have found; or no index begins with a foreign key's
 * columns. invalid: a failed create index concurrently left it.
 */
create or replace view app_operator.index_advice as
with index as (
  select i.*, x.relname as name, x.relam,
    pg_catalog.pg_relation_size(i.indexrelid) as bytes,
    coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') as predicate,
    coalesce(pg_catalog.pg_get_expr(i.indexprs, i.indrelid), '') as expressions,
    exists (
      select from pg_catalog.pg_constraint k
      where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
    ) as is_constraint
  from pg_catalog.pg_index i
  join pg_catalog.pg_class x on x.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = x.relnamespace
  where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
)
select 'duplicate' as kind, app_hidden.relation_name(i.indrelid) as table_name,
  i.name as index_name,
  format('%s serves the same searches', o.name) as reason, i.bytes,
  format('drop index concurrently %s', app_hidden.relation_name(i.indexrelid)) as statement
from index i
join lateral (
  select o.name
  from index o
  where o.indrelid = i.indrelid and o.indexrelid <> i.indexrelid and o.relam = i.relam
    and o.indisvalid and o.predicate = i.predicate and o.expressions = i.expressions
    and o.indkey::text || ' ' like i.indkey::text || ' %'
    and o.indclass::text || ' ' like i.indclass::text || ' %'
    and o.indcollation::text || ' ' like i.indcollation::text || ' %'
    and o.indoption::text || ' ' like i.indoption::text || ' %'
    and i.indnatts = i.indnkeyatts
    and (
      o.indkey::text <> i.indkey::text and not i.indisunique
      or o.indkey::text = i.indkey::text
        and (o.is_constraint, o.indisunique, o.indexrelid) > (i.is_constraint, i.indisunique,
          i.indexrelid)
    )
  order by o.is_constraint desc, o.indexrelid limit 1
) o on true
where not i.is_constraint and not (i.indisunique and i.predicate <> '')
union all
select 'unused', app_hidden.relation_name(i.indrelid), i.name,
  format('no scan since %s', u.since::date), i.bytes,
  format('drop index concurrently %s', app_hidden.relation_name(i.indexrelid))
from index i
join app_private.index_use u on u.index_id = i.indexrelid
where u.used_at is null and u.since < clock_timestamp() - interval '7 days'
  and not i.indisunique and not i.is_constraint and not i.indisreplident
union all
select 'missing', app_hidden.relation_name(s.relid), null,
  format('%s scans of the whole table read %s rows', s.seq_scan, s.seq_tup_read), null, null
from pg_catalog.pg_stat_user_tables s
where s.seq_tup_read > 1000000 and s.seq_tup_read > 10 * coalesce(s.idx_tup_fetch, 0)
  and s.n_live_tup > 10000 and s.seq_scan > 50
union all
select 'missing', app_hidden.relation_name(c.conrelid), null,
  format('no index begins with the columns of the foreign key %s', c.conname), null,
  format('create index concurrently on %s (%s)', app_hidden.relation_name(c.conrelid), (
    select string_agg(format('%I', a.attname), ', ' order by k.place)
    from unnest(c.conkey) with ordinality k (attnum, place)
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
  ))
from pg_catalog.pg_constraint c
join pg_catalog.pg_namespace n on n.oid = c.connamespace
where c.contype = 'f' and c.conparentid = 0
  and n.nspname in ('app_public', 'app_hidden', 'app_private', 'app_operator')
  and not exists (
    select from index i
    where i.indrelid = c.conrelid and i.predicate = '' and i.indisvalid
      and i.indkey[0] = any (c.conkey)
  )
union all
select 'invalid', app_hidden.relation_name(i.indrelid), i.name,
  'not kept whole: what made it failed', i.bytes,
  format('reindex index concurrently %s', app_hidden.relation_name(i.indexrelid))
from index i
where not i.indisvalid and i.indislive
order by kind, bytes desc nulls last, table_name, index_name;

comment on view app_operator.index_advice is
  'Indexes that may be missing and indexes that may go. Advice: read the reason before you follow.';
comment on column app_operator.index_advice.kind is 'duplicate, unused, missing or invalid.';
comment on column app_operator.index_advice.table_name is 'The table.';
comment on column app_operator.index_advice.index_name is 'The index, where there is one.';
comment on column app_operator.index_advice.reason is 'What was seen.';
comment on column app_operator.index_advice.bytes is 'Size of the index.';
comment on column app_operator.index_advice.statement is
  'What would put it right, where it is known.';

grant select on app_operator.index_advice to app_operator;
