import { dirname } from 'node:path';
import { watch } from 'chokidar';
import {
  DIRECTORIES,
  type MigrationDirectories,
  type MigrationResult,
  migrateUp,
} from './migrations.ts';

export interface SqlWatcherOptions {
  connectionString: string;
  /** Directories other than the checkout's: for tests. */
  directories?: Partial<MigrationDirectories>;
  /**
   * Called after a save that changed something in the database, before the next one is looked at:
   * whoever serves a schema built from it builds it again here.
   */
  onApplied(result: MigrationResult, milliseconds: number): void | Promise<void>;
  /** Called when a save could not be applied; the database is as it was before. */
  onError(error: unknown): void;
}

export interface SqlWatcher {
  /** Resolves when every save seen so far has been dealt with. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Saves within this time are taken together: an editor writes, renames and touches. */
const GATHER_MS = 25;

/**
 * Applies SQL files as they are saved: functions, derived files and new migrations. What was saved
 * while a run was under way is taken by the next run, so the last state of the files always wins.
 */
export async function watchSql(options: SqlWatcherOptions): Promise<SqlWatcher> {
  const directories = { ...DIRECTORIES, ...options.directories };
  const watched = [directories.migrations, directories.functions, directories.derived];
  // chokidar does not see a folder that does not exist yet: its parent is watched with it.
  const watcher = watch([...new Set([...watched, dirname(directories.derived)])], {
    ignoreInitial: true,
    ignored: (path, stats) => stats?.isFile() === true && !path.endsWith('.sql'),
  });
  let wanted = false;
  let closed = false;
  let running: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;

  watcher.on('all', (_event, path) => {
    if (!path.endsWith('.sql') || !watched.some((folder) => path.startsWith(folder))) return;
    wanted = true;
    timer ??= setTimeout(() => {
      timer = null;
      running ??= run().finally(() => {
        running = null;
      });
    }, GATHER_MS);
  });
  watcher.on('error', options.onError);
  await new Promise<void>((resolve) => watcher.on('ready', resolve));

  async function run(): Promise<void> {
    while (wanted && !closed) {
      wanted = false;
      const started = performance.now();
      try {
        const result = await migrateUp(options.connectionString, {
          directories: options.directories,
          queue: false,
        });
        const { applied = [], dropped = [] } = result.replaceables ?? {};
        if (result.migrations.length + applied.length + dropped.length > 0) {
          await options.onApplied(result, performance.now() - started);
        }
      } catch (error) {
        options.onError(error);
      }
    }
  }

  return {
    async settled() {
      while (timer || running) {
        if (running) await running;
        else await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
      }
    },
    async close() {
      closed = true;
      if (timer) clearTimeout(timer);
      await watcher.close();
      await running;
    },
  };
}
