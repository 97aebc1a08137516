import { type Config, loadConfig, postgresDir } from './config.ts';
import { requireDirect } from './pools.ts';
import { startEmbeddedPostgres } from './postgres.ts';

/** The database that a script works on. */
export interface Database {
  /** The owner's login: it may become app_owner. */
  connectionString: string;
  /** Whether it is the embedded Postgres. */
  embedded: boolean;
  /** Stops the embedded Postgres unless another process has it running; may be called twice. */
  stop(): Promise<void>;
}

/**
 * The database of `DATABASE_URL`; without one the embedded Postgres of `MILLRACE_DATA`, started when
 * no other process has it running.
 *
 * @throws ConfigError OP015 for a pooler.
 */
export async function openDatabase(config: Config = loadConfig()): Promise<Database> {
  if (config.databaseUrl) {
    await requireDirect(config.databaseUrl);
    return {
      connectionString: config.databaseUrl,
      embedded: false,
      stop: () => Promise.resolve(),
    };
  }
  const server = await startEmbeddedPostgres({
    dataDir: postgresDir(config.dataDir),
    port: config.pgPort,
    // For the operator's API: the slowest statements.
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
  return { connectionString: server.connectionString, embedded: true, stop: server.stop };
}

/** Runs `work` on the database of `openDatabase`, and stops what was started for it. */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase();
  try {
    return await work(database);
  } finally {
    await database.stop();
  }
}
