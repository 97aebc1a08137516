import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { ROOT } from './config.ts';
import { describeReference } from './reference.ts';
import { describeSchema } from './snapshot.ts';

/** The folder of the committed snapshot. */
export const SNAPSHOT_FOLDER = join(ROOT, 'db/snapshot');

/** A committed file that is not what the migrated database says. */
export interface Difference {
  file: string;
  /** First differing line, from 1, and the two lines; null when the file is missing. */
  line: number | null;
  committed: string;
  generated: string;
}

/**
 * The snapshot of a migrated database by file name: schema.sql, reference.md, and schema.graphql
 * once the host can print its schema (scripts/lib/api-schema.ts).
 */
export async function generateSnapshot(connectionString: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    files.set('schema.sql', await describeSchema(client));
    files.set('reference.md', await describeReference(client));
  } finally {
    await client.end();
  }
  const module = join(ROOT, 'scripts/lib/api-schema.ts');
  if (existsSync(module)) {
    const { printApiSchema } = (await import(module)) as {
      printApiSchema(connectionString: string): Promise<string>;
    };
    files.set('schema.graphql', `${(await printApiSchema(connectionString)).trim()}\n`);
  }
  return files;
}

/** Writes the snapshot; returns the names of the files that changed. */
export async function writeSnapshot(
  files: Map<string, string>,
  folder: string = SNAPSHOT_FOLDER,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const differences = await compareSnapshot(files, folder);
  for (const { file } of differences) {
    await writeFile(join(folder, file), files.get(file) as string);
  }
  return differences.map(({ file }) => file);
}

/** The differences between the committed snapshot and the generated one; empty when it is current. */
export async function compareSnapshot(
  files: Map<string, string>,
  folder: string = SNAPSHOT_FOLDER,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const [file, generated] of files) {
    const committed = await readFile(join(folder, file), 'utf8').catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      },
    );
    if (committed === generated) continue;
    if (committed === null) {
      differences.push({ file, line: null, committed: '', generated: '' });
      continue;
    }
    const before = committed.split('\n');
    const after = generated.split('\n');
    const index = before.findIndex((line, at) => line !== after[at]);
    const at = index < 0 ? before.length : index;
    differences.push({
      file,
      line: at + 1,
      committed: before[at] ?? '(end of file)',
      generated: after[at] ?? '(end of file)',
    });
  }
  return differences;
}
