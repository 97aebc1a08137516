import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errors, jwtVerify, SignJWT } from 'jose';
import { ConfigError } from './config.ts';

/*
 * Access tokens: HS256, one issuer, one audience. Three claims are read: `sub`, the account, `role`,
 * which is looked up in a fixed list, and `sid`, the session, which the database looks up at every
 * request: that is why a token may last as long as its session. No other claim has any effect.
 *
 * A token without a session is one that the holder of the secret has made for a program; it ends by
 * its expiry alone.
 */

const ISSUER = 'millrace';
const AUDIENCE = 'millrace-api';
/** Seconds by which the clocks of two hosts may differ. */
const CLOCK_SKEW = 5;
/** Characters; a real token has about 250. */
const TOKEN_MAX = 4_096;
const SECRET_MIN_BYTES = 32;

/** How an account or a session is named. */
const ID = /^[1-9][0-9]{0,17}$/;

const ROLES = { account: 'app_account', moderator: 'app_moderator' } as const;

export type TokenRole = keyof typeof ROLES;

/** Who a request is to the database. */
export type Identity =
  | { role: 'app_anonymous' }
  | {
      role: (typeof ROLES)[TokenRole];
      accountId: string;
      /** The session that has to stand; a token that signing in has not made has none. */
      sessionId?: string;
      /** Seconds since 1970. */
      expiresAt: number;
    };

export const ANONYMOUS: Identity = { role: 'app_anonymous' };

/** Why a token is refused; the message is meant for the client and says nothing of the secret. */
export class TokenError extends Error {
  override name = 'TokenError';
}

/**
 * The key of a secret.
 *
 * @throws ConfigError when it has fewer than 32 bytes.
 */
export function tokenKey(secret: string): Uint8Array {
  const key = new TextEncoder().encode(secret);
  if (key.byteLength < SECRET_MIN_BYTES) {
    throw new ConfigError(
      `JWT_SECRET must have at least ${SECRET_MIN_BYTES} bytes, not ${key.byteLength}; ` +
        'make one with: openssl rand -base64 48',
    );
  }
  return key;
}

/**
 * The secret of a data directory, made at the first call and readable by its owner only. For one
 * machine: several hosts share theirs by `JWT_SECRET`.
 */
export async function localSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, 'jwt-secret');
  await mkdir(dataDir, { recursive: true });
  try {
    await writeFile(path, randomBytes(48).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return (await readFile(path, 'utf8')).trim();
}

/** What a token says. */
export interface TokenClaims {
  accountId: string;
  role: TokenRole;
  /** Seconds until it expires. */
  lifetime: number;
  sessionId?: string;
}

/** Issues a token for an account. */
export function issueToken(
  key: Uint8Array,
  { accountId, role, lifetime, sessionId }: TokenClaims,
): Promise<string> {
  return new SignJWT(sessionId === undefined ? { role } : { role, sid: sessionId })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(accountId)
    .setIssuedAt()
    .setExpirationTime(`${lifetime} seconds`)
    .sign(key);
}

/**
 * Who a token speaks for.
 *
 * @throws TokenError for anything but a valid, unexpired token of ours.
 */
export async function verifyToken(key: Uint8Array, token: string): Promise<Identity> {
  if (token.length > TOKEN_MAX) throw new TokenError('The access token is too long');
  const { payload } = await jwtVerify(token, key, {
    algorithms: ['HS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    clockTolerance: CLOCK_SKEW,
    requiredClaims: ['exp', 'sub'],
  }).catch((error: unknown) => {
    if (error instanceof errors.JWTExpired) {
      throw new TokenError('The access token has expired', { cause: error });
    }
    throw new TokenError('The access token is not valid', { cause: error });
  });
  const role = payload.role;
  if (typeof role !== 'string' || !Object.hasOwn(ROLES, role)) {
    throw new TokenError('The access token names no role of this API');
  }
  const accountId = payload.sub ?? '';
  if (!ID.test(accountId)) throw new TokenError('The access token names no account');
  const identity = { role: ROLES[role as TokenRole], accountId, expiresAt: payload.exp ?? 0 };
  const { sid } = payload;
  if (sid === undefined) return identity;
  if (typeof sid !== 'string' || !ID.test(sid)) {
    throw new TokenError('The access token names no session');
  }
  return { ...identity, sessionId: sid };
}
