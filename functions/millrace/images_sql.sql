/*
 * The delta rule, the one definition from which exact read, drain and reconcile are made.
 *
 * With S the source and V its through table, both as of one snapshot, and dS, dV the signed images
 * in their logs,
 *
 *   pending = dS x V + S x dV - dS x dV
 *
 * is what S x V has gained since the logs were empty: with S = S0 + dS and V = V0 + dV, S x V - S0
 * x V0 = dS x V + S x dV - dS x dV. No lock is needed: rows of open transactions are in neither
 * tables nor logs of a snapshot.
 *
 * A drain that takes only the parts dS1 and dV1 out of the logs must apply the difference of
 * pending before and after,
 *
 *   taken = dS1 x V + S x dV1 - dS x dV1 - dS1 x (dV - dV1)
 *
 * (expand pending(dS, dV) - pending(dS - dS1, dV - dV1)), so any part may be taken, in any order: a
 * large backlog is drained in slices of bounded size. Taking all gives the first form again.
 *
 * The result has a row for each image or pair of images, with its weight and the columns that the
 * derivations read, as "source.<column>" and "via.<column>".
 *
 * mode truth: the base tables themselves; pending: all of the logs; taken: the parts in the common
 * table expressions that carry the names of the logs. The table that an image is looked up in
 * stands in a lateral subquery that the planner may not pull up (offset 0): the log is always the
 * outer side, so the cost follows the change whatever the statistics say, and a key in the
 * condition reaches the log's index. The through row is looked up newest version first
 * (newest_sql). A log is entered by the part of the foreign key that is unique alone; the rest is
 * compared (is true) where no index can be chosen for it.
 */
create or replace function millrace.images_sql(
  mode text, source regclass, through regclass, source_columns name[], through_columns name[],
  source_key name[], through_key name[]
)
  returns text
  language sql
  stable
  set search_path to ''
begin atomic
  select string_agg(
    format(
      E'select %s as "image.weight"%s%s\n'
      'from %s',
      b.weight,
      (
        select string_agg(format(', %s as %I',
          case
            when b.starts_from_through and k.through_column is not null
              then format('via.%I', k.through_column)
            else format('source.%I', c.name)
          end, millrace.image_column('source', c.name)), '' order by c.position)
        from unnest(images_sql.source_columns) with ordinality c(name, position)
        left join unnest(
          images_sql.source_key, images_sql.through_key
        ) k(source_column, through_column)
          on k.source_column = c.name
      ),
      (
        select string_agg(
          format(', via.%I as %I', c.name, millrace.image_column('via', c.name)),
          '' order by c.position)
        from unnest(images_sql.through_columns) with ordinality c(name, position)
      ),
      b.from_sql),
    E'\nunion all\n' order by b.position)
  from (
    select
      millrace.qualified_name(images_sql.source) as source,
      millrace.qualified_name(images_sql.through) as through,
      millrace.open_log_sql(images_sql.source) as source_log,
      millrace.open_log_sql(images_sql.through) as through_log,
      quote_ident(millrace.generated_name(images_sql.source)) as source_taken,
      quote_ident(millrace.generated_name(images_sql.through)) as through_taken,
      millrace.list(images_sql.source_columns, 'source.%I') as source_list,
      millrace.list(images_sql.through_columns, 'via.%I') as through_list,
      joined.in_table as joined,
      joined.in_log as joined_in_log
    from (
      select
        string_agg(j.same, ' and ' order by j.position) as in_table,
        string_agg(
          format(case when j.is_entry then '%s' else '(%s) is true' end, j.same),
          ' and ' order by j.position) as in_log
      from (
        select
          k.position,
          format('via.%I = source.%I', k.through_column, k.source_column) as same,
          k.through_column = any (
            millrace.looked_up_by(images_sql.through, images_sql.through_key)
          ) as is_entry
        from unnest(
          images_sql.source_key, images_sql.through_key
        ) with ordinality k(source_column, through_column, position)
      ) j
    ) joined
  ) n
  cross join lateral (
    select
      format('lateral (%s) via',
        millrace.newest_sql(
          images_sql.through, 'via', images_sql.through_key,
          array(
            select format('source.%I', k.name)
            from unnest(images_sql.source_key) with ordinality k(name, position)
            order by k.position
          ),
          images_sql.through_columns)) as through,
      format('lateral (select %s from %s source where %s offset 0) source',
        n.source_list, n.source, n.joined) as source,
      format('lateral (select source.sign, %s from %s source where %s offset 0) source',
        n.source_list, n.source_log, n.joined_in_log) as source_image
  ) looked_up
  cross join lateral (values
    (1, 'truth', false, '1', format('%s source', n.source), false),
    (2, 'pending', false, 'source.sign', format('%s source', n.source_log), false),
    (3, 'taken', false, 'source.sign', format('%s source', n.source_taken), false),
    (4, 'truth', true, '1', format(
      E'%s source\n'
      'join %s via on %s',
      n.source, n.through, n.joined), false),
    (5, 'pending', true, 'source.sign', format(
      E'%s source,\n'
      '%s',
      n.source_log, looked_up.through), false),
    (6, 'pending', true, 'via.sign', format(
      E'%s via,\n'
      '%s',
      n.through_log, looked_up.source), true),
    (7, 'pending', true, '-source.sign * via.sign', format(
      E'%s via,\n'
      '%s',
      n.through_log, looked_up.source_image), true),
    (8, 'taken', true, 'source.sign', format(
      E'%s source,\n'
      '%s',
      n.source_taken, looked_up.through), false),
    (9, 'taken', true, 'via.sign', format(
      E'%s via,\n'
      '%s',
      n.through_taken, looked_up.source), true),
    (10, 'taken', true, '-source.sign * via.sign', format(
      E'%s via,\n'
      '%s',
      n.through_taken, looked_up.source_image), true),
    (11, 'taken', true, '-source.sign * via.sign', format(
      E'%s source,\n'
      'lateral (\n'
      '  select via.log_id as taken_id, via.sign, %s\n'
      '  from %s via\n'
      '  where %s\n'
      '  offset 0\n'
      ') via\n'
      'where via.taken_id not in (select taken_id from %s)',
      n.source_taken, n.through_list, n.through_log, n.joined_in_log, n.through_taken), false)
  ) b(position, mode, has_through, weight, from_sql, starts_from_through)
  where b.mode = images_sql.mode and b.has_through = (images_sql.through is not null);
end;

comment on function millrace.images_sql(
  text, regclass, regclass, name[], name[], name[], name[]
) is
  'The weighted images that make up derivations (truth), that are pending, or that a drain takes.';
