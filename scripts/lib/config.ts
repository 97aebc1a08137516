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
  /** How the API is served. */
  server: ServerSettings;
  /** `METRICS_PORT`: where a process without an API serves its metrics; null: nowhere. */
  metricsPort: number | null;
}

export interface ServerSettings {
  /** `METRICS_TOKEN`: what a scraper of `/metrics` has to bring; null: only this machine may. */
  metricsToken: string | null;
  /** `READ_DATABASE_URL`: where queries go, a replica perhaps; null: where mutations go. */
  readConnectionString: string | null;
  /** `DIRECT_DATABASE_URL`: around a pooler, for LISTEN; null: the API's own. */
  directConnectionString: string | null;
  /** `DATABASE_POOLER`: whether a pooler in transaction mode is in between. */
  pooler: 'auto' | 'transaction' | 'none';
  /** `POOL_MIN`, `POOL_MAX`: connections of all pools together. */
  pool: { min: number; max: number };
  /** `PERSISTED_OPERATIONS`: a folder of the only operations that are run; null: any. */
  persistedOperations: string | null;
  /** `RATE_LIMIT_ACCOUNT`, `RATE_LIMIT_ADDRESS`, `RATE_LIMIT_DOOR`: requests a minute; 0: any. */
  rateLimits: { account: number; address: number; door: number };
  /** `CACHE_MB`: space for answers to visitors; 0: none are kept. */
  cacheMegabytes: number;
  /** `REDIS_URL`: where hosts share them; null: each has its own. */
  redisUrl: string | null;
  /** `TRUST_PROXY`: proxies in front whose X-Forwarded-For is believed. */
  trustProxy: number;
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
    server: serverSettings(env),
    metricsPort: env.METRICS_PORT ? port(env, 'METRICS_PORT', 0) : null,
  };
}

function serverSettings(env: NodeJS.ProcessEnv): ServerSettings {
  const max = positive(env, 'POOL_MAX', 50);
  // A small maximum speaks for itself; only a minimum that was set can contradict it.
  const min = positive(env, 'POOL_MIN', Math.min(5, max));
  if (min > max) {
    throw new ConfigError(`POOL_MIN must be at most POOL_MAX, which is ${max}, not "${min}"`);
  }
  return {
    metricsToken: env.METRICS_TOKEN || null,
    readConnectionString: url(env, 'READ_DATABASE_URL'),
    directConnectionString: url(env, 'DIRECT_DATABASE_URL'),
    pooler: oneOf(env, 'DATABASE_POOLER', ['auto', 'transaction', 'none']),
    pool: { min, max },
    persistedOperations: env.PERSISTED_OPERATIONS ? resolve(env.PERSISTED_OPERATIONS) : null,
    rateLimits: {
      account: whole(env, 'RATE_LIMIT_ACCOUNT', 1_200),
      address: whole(env, 'RATE_LIMIT_ADDRESS', 2_400),
      door: whole(env, 'RATE_LIMIT_DOOR', 20),
    },
    cacheMegabytes: whole(env, 'CACHE_MB', 64),
    redisUrl: redisUrl(env),
    trustProxy: whole(env, 'TRUST_PROXY', 0),
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

function redisUrl(env: NodeJS.ProcessEnv): string | null {
  const value = env.REDIS_URL;
  if (!value) return null;
  if (!URL.canParse(value) || !/^rediss?:$/.test(new URL(value).protocol)) {
    throw new ConfigError('REDIS_URL must be a URL such as redis://user:password@host:6379/0');
  }
  return value;
}

/** One of some words; the first is the default. */
function oneOf<T extends string>(env: NodeJS.ProcessEnv, name: string, words: [T, ...T[]]): T {
  const value = env[name] || words[0];
  const word = words.find((it) => it === value);
  if (word === undefined) {
    throw new ConfigError(`${name} must be one of ${words.join(', ')}, not "${value}"`);
  }
  return word;
}

function positive(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const number = whole(env, name, fallback);
  if (number < 1) {
    throw new ConfigError(`${name} must be a whole number above 0, not "${env[name]}"`);
  }
  return number;
}

function whole(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = env[name];
  if (!value) return fallback;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0) {
    throw new ConfigError(`${name} must be a whole number, 0 or more, not "${value}"`);
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
