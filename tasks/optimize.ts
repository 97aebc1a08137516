import type { Task } from 'graphile-worker';
import { vacuumTables } from '../scripts/lib/vacuum.ts';

/** Vacuums and analyzes tables, one after the other. Payload: {"tables": ["schema.table"]}. */
const task: Task = async (payload, { withPgClient }) => {
  const { tables } = payload as { tables: string[] };
  await withPgClient((client) => vacuumTables(client, tables));
};

export default task;
