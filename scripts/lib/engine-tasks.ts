import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCrontab, type TaskList } from 'graphile-worker';
import { readStatement, sqlTask } from './worker-sql-tasks.ts';

/** The part of a folder of tasks that a database with nothing but the engine can run. */
export interface EngineTasks {
  taskList: TaskList;
  /** The lines of the crontab that ask for them. */
  crontab: string;
}

/** The identifiers by which graphile-worker knows the schedules of a crontab. */
export function schedulesOf(crontab: string): string[] {
  return parseCrontab(crontab).map(({ identifier }) => identifier);
}

/**
 * The tasks that are one call of the engine, from a folder with `.sql` files and a `crontab`. The
 * others are the application's: there may be tasks of the same name, of another one, in a database
 * that is not this project's.
 */
export async function readEngineTasks(directory: string): Promise<EngineTasks> {
  const taskList: TaskList = {};
  for (const entry of await readdir(directory)) {
    if (!entry.endsWith('.sql')) continue;
    const statement = await readStatement(join(directory, entry));
    if (!/^(select|call)\s+millrace\./i.test(statement)) continue;
    taskList[entry.replace(/\.sql$/, '')] = sqlTask(statement);
  }
  const lines = (await readFile(join(directory, 'crontab'), 'utf8')).split('\n');
  const crontab = lines.filter((line) => {
    const task = /^\s*(?:[^#\s]\S*\s+){5}(\S+)/.exec(line)?.[1];
    return task !== undefined && task in taskList;
  });
  return { taskList, crontab: crontab.join('\n') };
}
