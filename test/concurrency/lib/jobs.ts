import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger, runOnce, type TaskList } from 'graphile-worker';
import type pg from 'pg';
import { ROOT } from '../../../scripts/lib/config.ts';
import { readStatement, sqlTask } from '../../../scripts/lib/worker-sql-tasks.ts';

/*
 * The jobs of the world: the engine's own, from tasks/, those of the world's reactions, and for any
 * other reaction of the application a task that does nothing.
 */

const ENGINE_TASKS = ['recompute', 'refresh'];
const PROOF_TASKS: Record<string, string> = {
  proof_note_item: 'call proof.note_item($1)',
  proof_note_shop: 'call proof.note_shop($1)',
};

/** All tasks that a derivation of this database may want, as statements. */
export async function taskStatements(client: pg.ClientBase): Promise<Record<string, string>> {
  const statements: Record<string, string> = { ...PROOF_TASKS };
  for (const name of ENGINE_TASKS) {
    statements[name] = await readStatement(join(ROOT, 'tasks', `${name}.sql`));
  }
  const { rows } = await client.query<{ task: string }>(
    'select distinct d.task from millrace.derivation d where d.task is not null',
  );
  for (const { task } of rows) statements[task] ??= 'select';
  return statements;
}

/** The same as tasks of graphile-worker. */
export async function taskList(client: pg.ClientBase): Promise<TaskList> {
  const statements = await taskStatements(client);
  return Object.fromEntries(
    Object.entries(statements).map(([name, statement]) => [name, sqlTask(statement)]),
  );
}

/** The same as a folder that a worker takes its tasks from; to be removed with `remove`. */
export async function taskDirectory(
  client: pg.ClientBase,
): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-tasks-'));
  for (const [name, statement] of Object.entries(await taskStatements(client))) {
    await writeFile(join(path, `${name}.sql`), statement);
  }
  await writeFile(join(path, 'crontab'), '');
  return { path, remove: () => rm(path, { recursive: true }) };
}

const silent = new Logger(() => () => undefined);

/** Runs every job that can be claimed now, to its end. */
export async function runJobs(pool: pg.Pool, tasks: TaskList): Promise<void> {
  await runOnce({ pgPool: pool, taskList: tasks, noHandleSignals: true, logger: silent });
}

/**
 * Lets time pass: whatever waits for a moment is due. Nothing else is changed, so what does not come
 * to rest now never would.
 */
export async function letTimePass(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ work: string }>(
    `select millrace.qualified_name(c.oid) as work
    from millrace.derivation d join pg_catalog.pg_class c on c.oid = d.work`,
  );
  await client.query(`
    ${rows
      .map(
        ({ work }) => `update ${work} set first_at = first_at - interval '1 day',
          marked_at = marked_at - interval '1 day';`,
      )
      .join('\n')}
    update millrace.host set seen_at = seen_at - interval '1 day';
    update millrace.run set look_at = null, queued_at = queued_at - interval '1 day',
      dead_at = dead_at - interval '1 day';
    update millrace.failed_key set retry_at = retry_at - interval '1 day',
      last_error_at = last_error_at - interval '1 day';
    update millrace.progress set started_at = started_at - interval '1 day',
      finished_at = finished_at - interval '1 day';
    update millrace.derivation set retry_at = retry_at - interval '1 day',
      last_error_at = last_error_at - interval '1 day' where state = 'failed';
    update graphile_worker._private_jobs set run_at = run_at - interval '1 day'
      where locked_at is null;
  `);
}
