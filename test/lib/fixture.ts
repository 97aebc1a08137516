import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { MigrationDirectories } from '../../scripts/lib/migrations.ts';

/** A folder with migrations, functions and derived files of a test's own. */
export interface Fixture {
  directories: Partial<MigrationDirectories>;
  /** Writes files: paths such as `migrations/0001_a.up.sql`, `functions/app/f.sql`. */
  write(files: Record<string, string>): Promise<void>;
  remove(path: string): Promise<void>;
  path(name: string): string;
  drop(): Promise<void>;
}

/** Makes a fixture; a migration given as `up` and `down` text becomes its two files. */
export async function createFixture(files: Record<string, string> = {}): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-fixture-'));
  const path = (name: string) => join(root, name);
  const fixture: Fixture = {
    directories: {
      migrations: path('migrations'),
      functions: path('functions'),
      derived: path('derived'),
    },
    path,
    async write(texts) {
      for (const [name, text] of Object.entries(texts)) {
        await mkdir(dirname(path(name)), { recursive: true });
        await writeFile(path(name), text);
      }
    },
    async remove(name) {
      await rm(path(name));
    },
    async drop() {
      await rm(root, { recursive: true, force: true });
    },
  };
  for (const folder of ['migrations', 'functions', 'derived']) await mkdir(path(folder));
  await fixture.write(files);
  return fixture;
}
