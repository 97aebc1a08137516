import { base58 } from '@scure/base';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import { context, type FieldArgs, SafeError, type Step, sideEffect } from 'postgraphile/grafast';
import { extendSchema, gql } from 'postgraphile/utils';
import { issueToken, type TokenRole } from './jwt.ts';

/*
 * The two mutations that end in a token, which only the host can make: signIn verifies a signature
 * and leaves everything else to app_hidden.sign_in, refreshSession to app_hidden.refresh_session.
 *
 * An address is a did:key: "did:key:z", then in base58btc two bytes for the kind of key (0xed 0x01:
 * Ed25519) and its 32 bytes. https://w3c-ccg.github.io/did-key-spec/
 */

declare global {
  // biome-ignore lint/style/noNamespace: grafast takes the types of its context this way.
  namespace Grafast {
    interface Context {
      /** The key of the access tokens; absent where the schema is only printed. */
      tokenKey?: Uint8Array;
    }
  }
}

/** A row of app_hidden.signed_in. */
export interface SignedIn {
  account_id: string;
  session_id: string;
  role: TokenRole;
  expires_at: string;
  is_new: boolean;
}

/** What a client gets. */
export interface IssuedToken {
  token: string;
  /** Until when it lasts, with its session. */
  expiresAt: string;
  accountId: string;
  sessionId: string;
  isNew: boolean;
}

const ADDRESS = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/;
const SIGNATURE = /^[A-Za-z0-9+/_-]{86}(==)?$/;

/** What the holder of an address signs; the database builds the same in sign_in_message. */
export function signInMessage(address: string, nonce: string): string {
  return `millrace-api: sign in\nAddress: ${address}\nNonce: ${nonce}`;
}

/** The did:key of an Ed25519 public key, which has 32 bytes. */
export function addressOfKey(publicKey: Uint8Array): string {
  return `did:key:z${base58.encode(Uint8Array.of(0xed, 0x01, ...publicKey))}`;
}

/**
 * Whether the holder of the address has signed the message.
 *
 * @param signature 64 bytes in base64 or base64url. Whatever is no signature is none of the address.
 */
export async function isSignedBy(
  address: string,
  message: string,
  signature: string,
): Promise<boolean> {
  if (!ADDRESS.test(address) || !SIGNATURE.test(signature)) return false;
  const bytes = base58.decode(address.slice('did:key:z'.length));
  if (bytes.length !== 34 || bytes[0] !== 0xed || bytes[1] !== 0x01) return false;
  try {
    const key = await crypto.subtle.importKey('raw', bytes.slice(2), 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify(
      'Ed25519',
      key,
      Buffer.from(signature, 'base64url'),
      new TextEncoder().encode(message),
    );
  } catch (error) {
    // Bytes that are no point of the curve.
    if (error instanceof DOMException) return false;
    throw error;
  }
}

/** The token of a session that was opened or extended; it lasts as long as the session. */
export async function tokenOf(key: Uint8Array, row: SignedIn): Promise<IssuedToken> {
  const expiresAt = new Date(row.expires_at);
  const accountId = String(row.account_id);
  const sessionId = String(row.session_id);
  const token = await issueToken(key, {
    accountId,
    sessionId,
    role: row.role,
    lifetime: Math.floor((expiresAt.getTime() - Date.now()) / 1_000),
  });
  return { token, expiresAt: expiresAt.toISOString(), accountId, sessionId, isNew: row.is_new };
}

interface SignInInput {
  address: string;
  nonce: string;
  signature: string;
  deviceName?: string | null;
}

type Settings = Record<string, string | undefined>;

async function signIn(
  { address, nonce, signature, deviceName }: SignInInput,
  settings: Settings,
  withPgClient: WithPgClient,
  key: Uint8Array,
): Promise<IssuedToken> {
  if (!(await isSignedBy(address, signInMessage(address, nonce), signature))) {
    throw new SafeError('The signature does not fit', {
      code: 'AC013',
      detail: 'It is not the one of the challenge by the key of the address.',
      hint: 'Sign the message of requestNonce with Ed25519, and send the 64 bytes in base64.',
    });
  }
  return await open(
    { ...settings, 'app.proven_address': address },
    withPgClient,
    key,
    'select * from app_hidden.sign_in($1, $2)',
    [nonce, deviceName ?? ''],
  );
}

async function open(
  settings: Settings,
  withPgClient: WithPgClient,
  key: Uint8Array,
  text: string,
  values: string[] = [],
): Promise<IssuedToken> {
  const { rows } = await withPgClient(settings, (client) =>
    client.query<SignedIn>({ text, values }),
  );
  return await tokenOf(key, rows[0]!);
}

/** The steps of what a request brings: its settings, the way to the database, the tokens' key. */
function request(): [Step<Settings>, Step<WithPgClient>, Step<Uint8Array>] {
  const $context = context();
  return [
    $context.get('pgSettings') as Step<Settings>,
    $context.get('withPgClient') as Step<WithPgClient>,
    $context.get('tokenKey') as Step<Uint8Array>,
  ];
}

export const SignInPlugin: GraphileConfig.Plugin = extendSchema(
  () => ({
    typeDefs: gql`
      extend type Mutation {
        """
        Signs a device in with a signed challenge of requestNonce. With the token of a guest in the
        request, the guest becomes the account and keeps everything; an address that signs in for
        the first time gets an account. Beyond that send no Authorization header.
        """
        signIn(input: SignInInput!): TokenPayload
        """
        Extends the session of the request: 30 days from now. The token of the payload replaces the
        old one, which lasts as long as it did.
        """
        refreshSession(input: RefreshSessionInput!): TokenPayload
      }
      """All input for the \`signIn\` mutation."""
      input SignInInput {
        """The address that has signed."""
        address: String!
        """The nonce of the challenge."""
        nonce: String!
        """The signature of the message of the challenge: 64 bytes in base64 or base64url."""
        signature: String!
        """What to call the device, at most 80 characters."""
        deviceName: String
        clientMutationId: String
      }
      """All input for the \`refreshSession\` mutation."""
      input RefreshSessionInput {
        clientMutationId: String
      }
      """A token, and whose it is."""
      type TokenPayload {
        """To be sent as \`Authorization: Bearer …\` with every request."""
        token: String!
        """Until when the session lasts unless it is extended."""
        expiresAt: Datetime!
        accountId: BigInt!
        sessionId: BigInt!
        """Whether the address has signed in for the first time."""
        isNew: Boolean!
        clientMutationId: String
      }
    `,
    objects: {
      Mutation: {
        plans: {
          signIn(_root: Step, args: FieldArgs) {
            const $input = args.getRaw('input') as Step<SignInInput & Answered>;
            return sideEffect(
              [$input, ...request()] as const,
              async ([input, settings, withPgClient, key]) => ({
                ...(await signIn(input, settings, withPgClient, key)),
                clientMutationId: input.clientMutationId,
              }),
            );
          },
          refreshSession(_root: Step, args: FieldArgs) {
            const $input = args.getRaw('input') as Step<Answered>;
            return sideEffect(
              [$input, ...request()] as const,
              async ([input, settings, withPgClient, key]) => ({
                ...(await open(
                  settings,
                  withPgClient,
                  key,
                  'select * from app_hidden.refresh_session()',
                )),
                clientMutationId: input.clientMutationId,
              }),
            );
          },
        },
      },
    },
  }),
  'MillraceSignInPlugin',
);

interface Answered {
  clientMutationId?: string | null;
}
