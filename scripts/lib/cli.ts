import { CommanderError } from 'commander';
import { log } from './log.ts';

/**
 * Runs the body of a command and ends the process with its exit code: 0, or 1 after printing the
 * error to standard error as a person wants to read it (a fault in a SQL file with its place, a
 * refused connection with its cause, a fault of the program with its stack).
 */
export async function runCommand(body: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode;
      return;
    }
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  }
}

/** An error for a person: with place and hint when it comes from SQL, with a stack when unexpected. */
export function describeError(error: unknown): string {
  if (hasFormat(error)) return error.format();
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError) return error.errors.map(describeError).join('\n');
  if (isExpected(error)) {
    const { code, detail, hint } = error as { code?: string; detail?: string; hint?: string };
    return [
      code ? `${code}: ${error.message}` : error.message,
      ...(detail ? [`  detail: ${detail}`] : []),
      ...(hint || HINTS[code ?? ''] ? [`  hint: ${hint || HINTS[code ?? '']}`] : []),
    ].join('\n');
  }
  log.debug({ error }, 'unexpected');
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describeError(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

const UNREACHABLE = 'DATABASE_URL says which server; without it, npm start brings one along.';
const UNMIGRATED = 'Is the database migrated? npm run migrate -- status says so.';

/** What to do about errors that say nothing of it: of the system, and of Postgres. */
const HINTS: Record<string, string> = {
  ECONNREFUSED: `Nothing listens there. ${UNREACHABLE}`,
  ENOTFOUND: `There is no such host. ${UNREACHABLE}`,
  '28P01': 'The password is in DATABASE_URL, or API_DATABASE_URL and OPERATOR_DATABASE_URL.',
  '3D000': 'Make it, or name another one in DATABASE_URL.',
  '3F000': UNMIGRATED,
  '42P01': UNMIGRATED,
  '42883': UNMIGRATED,
};

function hasFormat(error: unknown): error is { format(): string } {
  return typeof (error as { format?: unknown } | null)?.format === 'function';
}

/** Errors that the person can act upon, whose stack would only hide the message. */
function isExpected(error: Error): boolean {
  const names = ['ConfigError', 'MigrationError', 'PostgresStartError', 'SqlFilesError'];
  return names.includes(error.name) || error.name === 'RangeError' || 'code' in error;
}
