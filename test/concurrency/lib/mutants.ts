import type pg from 'pg';
import type { ScenarioName } from './scenarios.ts';

/*
 * Mistakes, planted in the engine of a test's own database: the harness has to find each of them.
 */

/** One text of one function, or one view, that is replaced. */
export interface Edit {
  /** schema.function or schema.view */
  routine: string;
  /** A space stands for any white space, and for a line break of generated SQL. */
  find: string;
  replace: string;
}

export interface Mutant {
  name: string;
  /** The mistake in one sentence. */
  mistake: string;
  edits: Edit[];
  /** What has to be generated again. */
  regenerate?: 'counters' | 'live views';
  /** What the mistake needs in the database. */
  setup?: string;
  /** Whether its scenario needs a login that may make event triggers. */
  superuser?: boolean;
  /** The scenario that shows it. */
  caughtBy: ScenarioName;
}

const SLICE =
  'delete from %s where ctid in (select ctid from %s limit %s) returning *, ctid as taken_id';
const RUN = 'into v_rows, v_keys, v_recount, v_changed using drain.slice;';
const DELETE_ALL = `execute (
          select coalesce(string_agg(format('delete from %s', s.log), ';'), 'select')
          from millrace.source s where s.log = any (v_pending)
        );`;
const NEW_GENERATION = 'update millrace.generation g set number = g.number + 1;';
const STORED =
  'coalesce((select t.vote_count from app_public.conversation t ' +
  'where t.id <= $1.id and t.id >= $1.id order by t.id desc limit 1), $1.vote_count, 0)';

const TAKEN = 'ctid = any (array(select unnest(marks) from batch))';
const NEW_RUN = `update millrace.progress p set number = p.number + 1, started_at = v_started
    where p.derivation = recompute_batch.id;`;

const readWithoutDelete: Edit = {
  routine: 'millrace.drain_sql',
  find: SLICE,
  replace: 'select *, ctid as taken_id from %s where ctid in (select ctid from %s limit %s)',
};

export const MUTANTS: Mutant[] = [
  {
    name: 'high-water mark',
    mistake: 'a drain takes what was recorded after the drain before began',
    edits: [
      {
        routine: 'millrace.drain_sql',
        find: '(select ctid from %s limit %s)',
        replace: `(select l.ctid from %s l where l.recorded_at > coalesce(
          (select s.drained_at from millrace.source s where s.log = l.tableoid), ''-infinity'') limit %s)`,
      },
      {
        routine: 'millrace.drain',
        find: 'set drained_at = clock_timestamp()',
        replace: 'set drained_at = v_started',
      },
    ],
    caughtBy: 'a commit later than a drain that saw newer rows',
  },
  {
    name: 'quiet beside an open transaction',
    mistake: 'a tick that found nothing says so although a transaction is running',
    edits: [
      {
        routine: 'millrace.tick',
        find: 'and pg_snapshot_xmin(v_snapshot) = pg_snapshot_xmax(v_snapshot)',
        replace: '',
      },
    ],
    caughtBy: 'a commit after a tick that found nothing',
  },
  {
    name: 'looking away',
    mistake: 'a ticker waits whatever ends meanwhile',
    edits: [
      {
        routine: 'millrace.await_change',
        find: 'if pg_snapshot_xmax(pg_current_snapshot()) <> await_change.seen then',
        replace: 'if false then',
      },
    ],
    caughtBy: 'a commit after a tick that found nothing',
  },
  {
    name: 'sum, then delete',
    mistake: 'a drain reads the logs in one statement and empties them in the next',
    edits: [
      readWithoutDelete,
      { routine: 'millrace.drain', find: RUN, replace: `${RUN} ${DELETE_ALL}` },
    ],
    caughtBy: 'commits in the middle of a drain',
  },
  {
    name: 'horizon past running transactions',
    mistake: 'rows of transactions that are in progress in a drain are taken for drained',
    edits: [
      {
        routine: 'millrace.drain',
        find: 'pg_snapshot_xmin(pg_current_snapshot())',
        replace: 'pg_snapshot_xmax(pg_current_snapshot())',
      },
    ],
    caughtBy: 'a long transaction across drains',
  },
  {
    name: 'horizon past its own transaction',
    mistake: 'rows that a transaction writes after it drained are taken for drained',
    edits: [
      {
        routine: 'millrace.move_horizon',
        find: 'values (move_horizon.number, move_horizon.since,',
        replace: `values (move_horizon.number,
          (pg_current_xact_id()::text::bigint + 1)::text::xid8,`,
      },
    ],
    caughtBy: 'a drain in the middle of a transaction',
  },
  {
    name: 'horizon after a slice',
    mistake: 'what a slice left in a log is taken for drained',
    edits: [
      {
        routine: 'millrace.drain',
        find: 'if not v_more then perform millrace.move_horizon',
        replace: 'if true then perform millrace.move_horizon',
      },
    ],
    caughtBy: 'slices with other transactions between them',
  },
  {
    name: 'horizon of another cluster',
    mistake: 'a restored database believes the transaction numbers of the one it was dumped from',
    edits: [
      {
        routine: 'millrace.undrained',
        find: '(h.written_by = h.xmin)',
        replace: 'true',
      },
    ],
    caughtBy: 'a restored database',
  },
  {
    name: 'drain in read committed',
    mistake: 'each derivation is drained by a statement, and so in a snapshot, of its own',
    edits: [
      readWithoutDelete,
      {
        routine: 'millrace.drain',
        find: `execute format('select * from %s($1)', v_plan.routine) ${RUN}`,
        replace: `for v_index in 1 .. cardinality(v_plan.names) loop
          execute millrace.drain_sql(v_plan.names[v_index:v_index], drain.slice::text)
            into v_rows, v_keys, v_recount, v_changed;
        end loop;
        ${DELETE_ALL}`,
      },
    ],
    caughtBy: 'commits in the middle of a drain',
  },
  {
    name: 'no cross term',
    mistake: 'the delta rule is dS x V + S x dV',
    edits: ['pending', 'taken'].map((mode) => ({
      routine: 'millrace.images_sql',
      find: `'${mode}'::text,true,'-source.sign * via.sign'`,
      replace: `'${mode}'::text,true,'0 * source.sign * via.sign'`,
    })),
    regenerate: 'counters',
    caughtBy: 'a vote and a moderation of its opinion, both pending',
  },
  {
    name: 'exact read in two statements',
    mistake: 'stored value and pending rows are read one after the other in a volatile function',
    edits: [
      { routine: 'app_public.conversation_vote_count', find: ' STABLE ', replace: ' VOLATILE ' },
      {
        routine: 'app_public.conversation_vote_count',
        find: `then ${STORED}`,
        replace: 'then v_stored',
      },
      {
        routine: 'app_public.conversation_vote_count',
        find: 'begin\n',
        replace: `declare v_stored numeric;\nbegin\n  v_stored := ${STORED};\n`,
      },
    ],
    caughtBy: 'a drain that commits in the middle of an exact read',
  },
  {
    name: 'reconcile overwrites',
    mistake: 'reconcile makes the stored value the recount, whatever is pending',
    edits: [
      {
        routine: 'millrace.reconcile_sql',
        find: ' - coalesce(p.delta, 0) as adjustment',
        replace: ' as adjustment',
      },
    ],
    caughtBy: 'reconcile while rows are pending',
  },
  {
    name: 'reconcile of what is paused',
    mistake: 'a reconcile of many batches goes on with what was active when it began',
    edits: [
      {
        routine: 'millrace.reconcile_batches',
        find: "where d.name = any (v_item.names) and d.state = 'active'",
        replace: 'where d.name = any (v_item.names)',
      },
    ],
    caughtBy: 'a pause while a reconcile waits',
  },
  {
    name: 'reconcile without its lock',
    mistake: 'reconcile takes neither the lock nor a new generation',
    edits: [
      { routine: 'millrace.reconcile', find: 'perform millrace.lock_engine();', replace: '' },
      { routine: 'millrace.reconcile_target', find: NEW_GENERATION, replace: '' },
    ],
    caughtBy: 'two reconcilers that find the same drift',
  },
  {
    name: 'truncate ignored',
    mistake: 'truncate appends nothing',
    edits: [
      {
        routine: 'millrace_log.app_public__opinion_vote__truncate',
        find: 'from app_public.opinion_vote;',
        replace: 'from app_public.opinion_vote where false;',
      },
    ],
    caughtBy: 'truncate',
  },
  {
    name: 'counting by event',
    mistake: 'an old image takes one away whether it counted or not',
    edits: [
      {
        routine: 'millrace.rows_sql',
        find: "case when v_alone then v_first.filter else 'true' end",
        replace: `case when v_alone then v_first.filter || ' or image."image.weight" < 0' else 'true' end`,
      },
      {
        routine: 'millrace.rows_sql',
        find: 'case when (%s ) then image."image.weight"',
        replace: 'case when (%s\\n) or image."image.weight" < 0 then image."image.weight"',
      },
    ],
    regenerate: 'counters',
    caughtBy: 'what no longer counts goes',
  },
  {
    name: 'slices on their own',
    mistake: 'a slice leaves out what it makes with the rows that stay in the other log',
    edits: [
      {
        routine: 'millrace.images_sql',
        find: "(11,'taken'::text,true,'-source.sign * via.sign'",
        replace: "(11,'taken'::text,true,'0 * source.sign * via.sign'",
      },
    ],
    caughtBy: 'slices of votes and moderations that belong together',
  },
  {
    name: 'drain without its lock',
    mistake: 'a drain takes neither the lock nor a new generation',
    edits: [
      {
        routine: 'millrace.drain',
        find: 'if not millrace.try_lock_engine() then',
        replace: 'if false then',
      },
      {
        routine: 'millrace.drain',
        find: NEW_GENERATION.replace(';', ' returning g.number into v_generation;'),
        replace: 'v_generation := 3 * (1e9 * random())::bigint + 1;',
      },
    ],
    caughtBy: 'two drains at once',
  },
  {
    name: 'nothing carried over',
    mistake: 'what a locked target row should get is dropped',
    edits: [
      {
        routine: 'millrace.apply_sql',
        find: 'where c.delta <> 0 and',
        replace: 'where false and',
      },
    ],
    caughtBy: 'a target row that somebody holds',
  },
  {
    name: 'new rows start at zero',
    mistake: 'what was there before a target row is not counted for it',
    edits: [
      { routine: 'millrace.drain', find: 'perform millrace.recount(v_recount);', replace: '' },
    ],
    caughtBy: 'a target row that appears after what counts for it',
  },
  {
    name: 'state not read in the snapshot',
    mistake: 'an exact read trusts the stored value of a derivation that is paused',
    edits: [
      {
        routine: 'app_public.conversation_vote_count',
        find: " and d.state = 'active'",
        replace: '',
      },
    ],
    caughtBy: 'a snapshot older than a resume',
  },
  {
    name: 'marks deleted last',
    mistake: 'a job reads the definition in one statement and deletes the marks in the next',
    edits: [
      {
        routine: 'millrace.recompute_sql',
        find: `delete from %2$s where ${TAKEN} returning 1`,
        replace: 'select unnest(marks) from batch',
      },
      {
        routine: 'millrace.recompute_keys',
        find: 'recompute_keys.everything) into keys, marks, last_key, changed;',
        replace: `recompute_keys.everything) into keys, marks, last_key, changed;
          execute format('delete from %s',
            millrace.qualified_name((recompute_keys.derivation).work));`,
      },
    ],
    caughtBy: 'a change of a key while its job computes it',
  },
  {
    name: 'marks do nothing on conflict',
    mistake: 'a key that waits already is not marked again',
    edits: [
      {
        routine: 'millrace.marks_sql',
        find: "k(%s) where %s'::text,",
        replace: "k(%s) where %s on conflict do nothing'::text,",
      },
    ],
    setup: 'create unique index on millrace_log.proof__shop_sheet__work (region, code)',
    caughtBy: 'a change of a key whose job waits for the mark',
  },
  {
    name: 'marks are upserted',
    mistake: 'one row for each key that waits, updated by drains, deleted by what recomputes it',
    edits: [
      {
        routine: 'millrace.marks_sql',
        find: "k(%s) where %s'::text,",
        replace: `k(%s) where %s'::text || case
          when m.source = 'proof.shop'::regclass and d.name = 'proof.shop_sheet'
          then ' on conflict (%4$s) do update set marked_at = clock_timestamp()'
          else ' on conflict do nothing' end,`,
      },
      {
        routine: 'millrace.recompute_sql',
        find: `delete from %2$s where ${TAKEN}`,
        replace: 'delete from %2$s where (%7$s) in (select %7$s from batch)',
      },
    ],
    setup: 'create unique index on millrace_log.proof__shop_sheet__work (region, code)',
    caughtBy: 'two changes in one drain while a job waits',
  },
  {
    name: 'mapped by the writer',
    mistake: 'the writer looks up which keys its rows touch, in its own snapshot',
    edits: [
      {
        routine: 'millrace_log.proof__sale__insert',
        find: 'return null;',
        replace: `insert into millrace_log.proof__shop_sheet__work (first_at, region, code)
            select clock_timestamp(), i.region, i.code
            from new_rows c join proof.item i on i.id = c.item_id;
          return null;`,
      },
    ],
    setup: `update millrace.mapping m set query = m.query || ' where false'
      from millrace.derivation d
      where d.id = m.derivation and d.name = 'proof.shop_sheet'
        and m.source = 'proof.sale'::regclass`,
    caughtBy: 'a sale that commits after its item has moved',
  },
  {
    name: 'only new images are mapped',
    mistake: 'the key that a row belonged to is not told that it has gone',
    edits: [
      {
        routine: 'millrace.mapped_sql',
        find: 'with changed as (select %s from %s)',
        replace: 'with changed as (select %s from %s where sign > 0)',
      },
    ],
    caughtBy: 'what moves leaves the key where it was',
  },
  {
    name: 'nothing vanishes',
    mistake: 'a run writes the rows that the definition gives and leaves those it gives no more',
    edits: [
      {
        routine: 'millrace.write_sql',
        find: 'where f."fresh.found" is null',
        replace: 'where false',
      },
    ],
    caughtBy: 'everything of a key goes',
  },
  {
    name: 'read columns are not compared',
    mistake: 'a change of a column that is in no key and no mapping is not logged',
    edits: [{ routine: 'millrace_log.proof__shop__update', find: ' note,', replace: '' }],
    caughtBy: 'a column that no key needs',
  },
  {
    name: 'truncate ignored by relations',
    mistake: 'a truncate of a table that only relations read appends nothing',
    edits: [
      {
        routine: 'millrace_log.proof__sale__truncate',
        find: 'from proof.sale;',
        replace: 'from proof.sale where false;',
      },
    ],
    caughtBy: 'truncated sources',
  },
  {
    name: 'live reads without the logs',
    mistake: 'a live view takes for dirty what waits for the job, not what is still to be drained',
    edits: [
      {
        routine: 'millrace.dirty_sql',
        find: '(m.query IS NOT NULL)',
        replace: 'false',
      },
    ],
    regenerate: 'live views',
    caughtBy: 'a column that no key needs',
  },
  {
    name: 'stored rows of a paused relation',
    mistake: 'a live view goes on trusting the stored rows of a relation that is paused',
    edits: [
      {
        routine: 'millrace.pause',
        find: "kept = d.kind = 'counter'",
        replace: 'kept = true',
      },
    ],
    caughtBy: 'a paused relation and one that is resumed',
  },
  {
    name: 'a paused reaction is told nothing',
    mistake: 'what changes while a reaction is paused does not wait for it',
    edits: [
      {
        routine: 'millrace.reading',
        find: "(d.kind = 'react'::text) AND (d.state = 'paused'::text)",
        replace: 'false',
      },
    ],
    caughtBy: 'a paused reaction and one that is resumed',
  },
  {
    name: 'readers of a view are not told',
    mistake: 'what reads a refreshed relation does not follow it',
    edits: [
      {
        routine: 'millrace.mark_downstream',
        find: 'where u.upstream = mark_downstream.upstream',
        replace: 'where false',
      },
    ],
    caughtBy: 'what reads a refreshed relation follows it',
  },
  {
    name: 'refresh without the earlier lock',
    mistake: 'a refresh begins, and has its snapshot, while another one is at work',
    edits: [
      {
        routine: 'millrace.recompute_batch',
        find: 'if not millrace.try_lock_relation(recompute_batch.id) then',
        replace: 'if false then',
      },
      { routine: 'millrace.recompute_batch', find: NEW_RUN, replace: '' },
    ],
    superuser: true,
    caughtBy: 'a refresh overtaken by a newer one',
  },
  {
    name: "repair without the relation's lock",
    mistake: 'a reconcile recomputes a key while a job may do the same',
    edits: [
      {
        routine: 'millrace.reconcile',
        find: 'perform millrace.lock_relation(v_d.id);',
        replace: '',
      },
      {
        routine: 'millrace.reconcile_relation',
        find: 'update millrace.progress p set number = p.number + 1 where p.derivation = v_d.id;',
        replace: '',
      },
    ],
    caughtBy: 'a repair beside a run',
  },
  {
    name: 'null taken for a job',
    mistake: 'a request that add_job drops counts as scheduled, and the marks are taken',
    edits: [
      {
        routine: 'millrace.schedule_keys',
        find: 'continue when v_job is null;',
        replace: '',
      },
    ],
    caughtBy: 'a request that is dropped because its job is just being claimed',
  },
  {
    name: 'debounce without max_wait',
    mistake: 'a key is due when it has been quiet, which it may never be',
    edits: [
      {
        routine: 'millrace.due_at',
        find: "(first_at + GREATEST((max_wait - '00:00:00.25'::interval), (max_wait / (2)::double precision)))",
        replace: "'infinity'::timestamptz",
      },
    ],
    caughtBy: 'a key that never comes to rest',
  },
  {
    name: 'the clock never goes back',
    mistake: 'what was marked in the future waits until it is the past',
    edits: [
      {
        routine: 'millrace.due_at',
        find: "(GREATEST(first_at, marked_at) > (clock_timestamp() + '00:00:01'::interval))",
        replace: 'false',
      },
    ],
    caughtBy: 'a clock that was set back',
  },
  {
    name: 'marks of a run',
    mistake: 'a job takes what was marked after the last run ended',
    edits: [
      {
        routine: 'millrace.recompute_sql',
        // the scenario's batches are the first ones, which have no other condition
        find: "'%3$s'",
        replace: `'  where marked_at > coalesce((
          select p.finished_at from millrace.progress p where p.derivation = %6$s), ''-infinity'')'`,
      },
    ],
    caughtBy: 'a change of a key while its job computes it',
  },
  {
    name: 'wake-ups of a run',
    mistake: 'a reaction is woken by what changed after its last run ended',
    edits: [
      {
        routine: 'millrace.schedule_keys',
        find: 'where w.due_at <= v_started and r.job_id is null',
        replace: `where w.due_at <= v_started and r.job_id is null
          and w.marked_at > coalesce(r.finished_at, '-infinity')`,
      },
    ],
    caughtBy: 'a change while a reaction runs',
  },
  {
    name: 'a run beside a run',
    mistake: 'a job that is running is taken for done',
    edits: [
      {
        routine: 'millrace.follow_jobs',
        find: 'j.id is null as is_done',
        replace: 'j.id is null or j.locked_at is not null as is_done',
      },
    ],
    caughtBy: 'a change while a reaction runs',
  },
  {
    name: 'a lost job is waited for',
    mistake: 'a job that is gone without having run is taken for one that will',
    edits: [
      {
        routine: 'millrace.follow_jobs',
        find: 'j.id is null as is_done',
        replace: 'false as is_done',
      },
    ],
    caughtBy: 'a job that is lost',
  },
];

/**
 * Plants a mutant. Throws when a text is not there: the engine has changed, and a mutant that was not planted proves nothing.
 */
export async function plant(client: pg.ClientBase, mutant: Mutant): Promise<void> {
  for (const { routine, find, replace } of mutant.edits) {
    const { rows } = await client.query<{ definition: string }>(
      `select pg_get_functiondef(p.oid) as definition from pg_proc p
      where p.oid = to_regproc($1)
      union all
      select format(E'create or replace view %s as\n%s', $1::text, pg_get_viewdef(c.oid))
      from pg_class c where c.oid = to_regclass($1)`,
      [routine],
    );
    const definition = rows[0]?.definition ?? '';
    const pattern = new RegExp(
      find
        .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .split(/\s+/)
        .join("(?:\\s|\\\\n|'\\s*\\n\\s*')+"),
      'g',
    );
    if (!pattern.test(definition)) {
      throw new Error(`${mutant.name}: ${routine} does not contain "${find}"`);
    }
    await client.query(definition.replaceAll(pattern, () => replace));
  }
  if (mutant.setup !== undefined) await client.query(mutant.setup);
  await client.query('select millrace.forget_plans()');
  if (mutant.regenerate === 'counters') {
    await client.query(
      "select millrace.refresh_views(d) from millrace.derivation d where d.kind = 'counter'",
    );
    const { rows } = await client.query<{ name: string }>(
      "select d.name from millrace.derivation d where d.kind = 'counter'",
    );
    for (const { name } of rows) {
      await client.query('select millrace.pause($1)', [name]);
      await client.query('select millrace.resume($1)', [name]);
    }
  } else if (mutant.regenerate === 'live views') {
    await client.query(
      "select millrace.make_views(d) from millrace.derivation d where d.kind = 'materialize'",
    );
  }
}
