import { jwtVerify, SignJWT } from 'jose';
import { TokenError } from './jwt.ts';

/*
 * Tokens of the operator endpoint. They have an audience of their own: a token of the API opens
 * nothing there, and the other way round. They are short-lived and made by `npm run operator-token`,
 * by whoever has the key on the host itself; there is no way to get one over the network.
 */

const ISSUER = 'millrace';
const AUDIENCE = 'millrace-operator';
const TOKEN_MAX = 4_096;

/** Seconds that a token is valid unless asked otherwise. */
export const OPERATOR_TOKEN_LIFETIME = 60 * 60;
/** The longest that may be asked for: 30 days. */
export const OPERATOR_TOKEN_MAX = 30 * 24 * 60 * 60;

/**
 * Issues a token for an operator.
 *
 * @param name who it is for: in the log of what was done.
 * @param lifetime seconds until it expires.
 */
export function issueOperatorToken(
  key: Uint8Array,
  { name, lifetime = OPERATOR_TOKEN_LIFETIME }: { name: string; lifetime?: number },
): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(name)
    .setIssuedAt()
    .setExpirationTime(`${lifetime} seconds`)
    .sign(key);
}

/**
 * The name of the operator that an Authorization header speaks for.
 *
 * @throws TokenError for anything but a valid, unexpired operator's token.
 */
export async function verifyOperator(key: Uint8Array, header: string | undefined): Promise<string> {
  const token = /^Bearer ([\w.-]+)$/.exec(header ?? '')?.[1];
  if (token === undefined) throw new TokenError("Send an operator's token");
  if (token.length > TOKEN_MAX) throw new TokenError('The token is too long');
  const { payload } = await jwtVerify(token, key, {
    algorithms: ['HS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    clockTolerance: 5,
    requiredClaims: ['exp', 'sub'],
  }).catch((cause: unknown) => {
    throw new TokenError("The operator's token is not valid, or no more", { cause });
  });
  return payload.sub ?? '';
}
