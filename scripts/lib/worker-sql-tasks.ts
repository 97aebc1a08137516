import { readFile } from 'node:fs/promises';
import type { Task } from 'graphile-worker';

/**
 * Lets a `.sql` file in `tasks/` be a task: one statement, run as it is with the job's payload as
 * `$1` (jsonb). It runs outside a transaction, so that a procedure it calls may commit; a statement
 * that fails fails the job, which is tried again later.
 */
export const SqlTasksPlugin: GraphileConfig.Plugin = {
  name: 'MillraceSqlTasksPlugin',
  version: '0.0.0',
  worker: {
    hooks: {
      async loadTaskFromFiles(_context, details) {
        const file = details.fileDetailsList.find(({ extension }) => extension === '.sql');
        if (details.handler !== undefined || file === undefined) return;
        details.handler = sqlTask(await readStatement(file.fullPath));
      },
    },
  },
};

/** The task that runs a statement. */
export function sqlTask(statement: string): Task {
  const takesPayload = /\$1\b/.test(statement);
  return async (payload, helpers) => {
    await helpers.query(statement, takesPayload ? [JSON.stringify(payload ?? {})] : []);
  };
}

/** The statement of a file, without comments. */
export async function readStatement(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  const statement = text.replace(/\/\*[\s\S]*?\*\/|--[^\n]*/g, '').trim();
  if (statement === '') throw new Error(`${path} has no statement`);
  return statement;
}
