import pg from 'pg';

/** Which part a connection plays; the server sees it as application_name. */
export type Role = 'writer' | 'drain' | 'job' | 'reconcile' | 'maintenance' | 'checker' | 'sampler';

/** The roles in which a connection runs the engine's own work. */
export const ENGINE_ROLES: ReadonlySet<Role> = new Set([
  'drain',
  'job',
  'reconcile',
  'maintenance',
]);

/** A connection that is opened again when somebody kills its backend. */
export interface Session {
  role: Role;
  /** The connection, opened when there is none. */
  client(): Promise<pg.Client>;
  /** The backend of the connection that is open, else null. */
  pid(): number | null;
  /** Forgets a broken connection. */
  reset(): Promise<void>;
}

/** All connections of a history, and which role each backend had. */
export interface Sessions {
  open(role: Role): Session;
  roleOf(pid: number): Role | undefined;
  /** Says which role a backend has that was not opened here: one of a worker's pool. */
  register(pid: number, role: Role): void;
  all(): Session[];
  close(): Promise<void>;
}

/** Connections as app_owner; the sampler's as the login. */
export function createSessions(connectionString: string): Sessions {
  const roles = new Map<number, Role>();
  const sessions: Session[] = [];

  function open(role: Role): Session {
    let current: { client: pg.Client; pid: number } | null = null;
    const session: Session = {
      role,
      async client() {
        if (current) return current.client;
        const client = new pg.Client({
          connectionString,
          // The login sees everybody's statements and may terminate backends; the owner does neither.
          options: role === 'sampler' ? undefined : '-c role=app_owner',
          application_name: role,
        });
        // A backend that is killed ends its connection, which the next statement finds out.
        client.on('error', () => undefined);
        await client.connect();
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
        current = { client, pid: rows[0]!.pid };
        roles.set(current.pid, role);
        return client;
      },
      pid: () => current?.pid ?? null,
      async reset() {
        const broken = current;
        current = null;
        await broken?.client.end().catch(() => undefined);
      },
    };
    sessions.push(session);
    return session;
  }

  return {
    open,
    roleOf: (pid) => roles.get(pid),
    register(pid, role) {
      roles.set(pid, role);
    },
    all: () => sessions,
    async close() {
      await Promise.all(sessions.map((session) => session.reset()));
    },
  };
}

/** Whether an error says that the connection is gone, so that nobody knows what became of a commit. */
export function isDisconnect(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  // 57P01 to 57P03: terminated, crashed, starting up; 08…: connection errors; the others are Node's.
  if (code !== undefined && /^(57P0[123]|08.{3}|ECONNRESET|EPIPE|ECONNREFUSED)$/.test(code))
    return true;
  return code === undefined && /connection/i.test((error as Error).message);
}

/** The SQLSTATE of an error of Postgres; anything else is thrown on. */
export function sqlState(error: unknown): string {
  const code = (error as { code?: string }).code;
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code)) return code;
  throw error;
}
