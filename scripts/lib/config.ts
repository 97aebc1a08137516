import { createHmac } from 'node:crypto';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout: every default path hangs on it, not on the working directory. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The login roles that `db/roles.sql` creates, one for each public audience. */
export type LoginRole = 'app_authenticator' | 'app_operator_login';

export interface Config {
  /** `DATABASE_URL`: the owner's login on a server of one's own; null means the embedded Postgres. */
  databaseUrl: string | null;
  /** `API_DATABASE_URL`: login app_authenticator; null means: derived from the owner's URL. */
  apiDatabaseUrl: string | null;
  /** `OPERATOR_DATABASE_URL`: login app_operator_login; null means: derived. */
  operatorDatabaseUrl: string | null;
  /** `MILLRACE_DATA`: where the embedded Postgres keeps its data. */
  dataDir: string;
  /** `MILLRACE_PG_PORT`: first port tried by the embedded Postgres. */
  pgPort: number;
  /** `PORT`: first port tried by the API. */
  port: number;
  /** `HOST`: address that the API listens on. */
  host: string;
  /** `JWT_SECRET`: null lets the host make one for this data directory. */
  jwtSecret: string | null;
  /** `ANALYSIS_RESULTS`: results kept of each conversation, the published one too. */
  analysisResults: number;
  /** `NODE_ENV=production`. */
  production: boolean;
}

/** Thrown for a setting that cannot be used; the message names the variable and what it takes. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads the settings from environment variables.
 *
 * @throws ConfigError for a value that is present but wrong: a typing mistake must not turn into a
 * default.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return {
    databaseUrl: url(env, 'DATABASE_URL'),
    apiDatabaseUrl: url(env, 'API_DATABASE_URL'),
    operatorDatabaseUrl: url(env, 'OPERATOR_DATABASE_URL'),
    dataDir: resolve(ROOT, env.MILLRACE_DATA || '.millrace'),
    pgPort: port(env, 'MILLRACE_PG_PORT', 54329),
    port: port(env, 'PORT', 5678),
    host: env.HOST || '127.0.0.1',
    jwtSecret: env.JWT_SECRET || null,
    analysisResults: positive(env, 'ANALYSIS_RESULTS', 3),
    production: env.NODE_ENV === 'production',
  };
}

/**
 * The database of a command: the one that its command line names, otherwise that of `DATABASE_URL`,
 * otherwise null.
 *
 * @throws ConfigError when it is no URL.
 */
export function databaseUrlOf(
  option: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string | null {
  return option === undefined
    ? url(env, 'DATABASE_URL')
    : url({ '--database-url': option }, '--database-url');
}

/** Where the embedded Postgres of a data directory lives. */
export function postgresDir(dataDir: string): string {
  return join(dataDir, 'postgres');
}

/**
 * The password given to a login role when it is created, derived from the owner's password: nothing
 * has to be stored or typed, and the API's login does not learn the owner's password. Null when the
 * owner logs in without one (trust, peer).
 */
export function loginPassword(ownerConnectionString: string, role: LoginRole): string | null {
  const password = decodeURIComponent(new URL(ownerConnectionString).password);
  if (password === '') return null;
  return createHmac('sha256', password).update(`millrace:${role}`).digest('base64url');
}

/** The owner's connection string with the login (and derived password) of another role. */
export function loginConnectionString(ownerConnectionString: string, role: LoginRole): string {
  const target = new URL(ownerConnectionString);
  target.username = role;
  target.password = loginPassword(ownerConnectionString, role) ?? '';
  return target.href;
}

/** A connection string that can be printed: without its password. */
export function redactedUrl(connectionString: string): string {
  const target = new URL(connectionString);
  if (target.password !== '') target.password = '…';
  return decodeURIComponent(target.href);
}

function url(env: NodeJS.ProcessEnv, name: string): string | null {
  const value = env[name];
  if (!value) return null;
  if (!URL.canParse(value) || !/^postgres(ql)?:$/.test(new URL(value).protocol)) {
    throw new ConfigError(`${name} must be a URL such as postgres://user:password@host:5432/name`);
  }
  return value;
}

function positive(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = env[name];
  if (!value) return fallback;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new ConfigError(`${name} must be a whole number above 0, not "${value}"`);
  }
  return number;
}

function port(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = env[name];
  if (!value) return fallback;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    throw new ConfigError(`${name} must be a port number from 0 to 65535, not "${value}"`);
  }
  return number;
}
