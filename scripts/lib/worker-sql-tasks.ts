import { readFile } from 'node:fs/promises';
import type { FileDetails } from 'graphile-worker';

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
        const text = await readStatement(file);
        const takesPayload = /\$1\b/.test(text);
        details.handler = async (payload, helpers) => {
          await helpers.query(text, takesPayload ? [JSON.stringify(payload ?? {})] : []);
        };
      },
    },
  },
};

/** The text without comments. */
async function readStatement(file: FileDetails): Promise<string> {
  const text = await readFile(file.fullPath, 'utf8');
  const statement = text.replace(/\/\*[\s\S]*?\*\/|--[^\n]*/g, '').trim();
  if (statement === '') throw new Error(`${file.fullPath} has no statement`);
  return statement;
}
