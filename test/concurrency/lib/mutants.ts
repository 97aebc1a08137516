import type pg from 'pg';
import type { ScenarioName } from './scenarios.ts';

/*
 * Mistakes, planted in the engine of a test's own database: the harness has to find each of them.
 */

/** One text of one function that is replaced. */
export interface Edit {
  /** schema.function */
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
  /** Whether what was generated before has to be generated again. */
  regenerate?: boolean;
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
  'coalesce((select t.vote_count from app_public.conversation t where t.id = $1.id), $1.vote_count, 0)';

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
    name: 'sum, then delete',
    mistake: 'a drain reads the logs in one statement and empties them in the next',
    edits: [
      readWithoutDelete,
      { routine: 'millrace.drain', find: RUN, replace: `${RUN} ${DELETE_ALL}` },
    ],
    caughtBy: 'commits in the middle of a drain',
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
    regenerate: true,
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
    regenerate: true,
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
        replace: 'v_generation := 1;',
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
];

/**
 * Plants a mutant. Throws when a text is not there: the engine has changed, and a mutant that was not planted proves nothing.
 */
export async function plant(client: pg.ClientBase, mutant: Mutant): Promise<void> {
  for (const { routine, find, replace } of mutant.edits) {
    const { rows } = await client.query<{ definition: string }>(
      `select pg_get_functiondef(p.oid) as definition from pg_proc p
      where p.oid = to_regproc($1)`,
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
  await client.query('select millrace.forget_plans()');
  if (mutant.regenerate) {
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
  }
}
