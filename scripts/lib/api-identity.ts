import { SafeError } from 'postgraphile/grafast';
import { type ExecutionArgs, getOperationAST } from 'postgraphile/graphql';
import { ANONYMOUS, type Identity, TokenError, verifyToken } from './jwt.ts';
import type { ApiSettings } from './pg-service.ts';

/*
 * From the Authorization header to the settings under which a request's statements run. No header
 * is anonymous; a header that is anything but a valid token ends the request with 401: a client
 * that believes to be somebody is never served as somebody else.
 */

declare global {
  // biome-ignore lint/style/noNamespace: grafast takes the types of its context this way.
  namespace Grafast {
    interface RequestContext {
      identity?: Identity;
    }
  }
}

/** Verifies the token of each request and keeps who it is in the request's context. */
export function identityPlugin(key: Uint8Array): GraphileConfig.Plugin {
  return {
    name: 'MillraceIdentityPlugin',
    version: '0.0.0',
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, event) {
          if (event.request === undefined) throw new Error('Only HTTP requests are served');
          const identity = await identityOf(key, event.request.getHeader('authorization'));
          event.request.requestContext.identity = identity;
          return next();
        },
      },
    },
  };
}

/** The settings of a request's statements: role, account, and read-only for a query. */
export function identitySettings(
  { identity }: Partial<Grafast.RequestContext>,
  { document, operationName }: ExecutionArgs,
): ApiSettings {
  if (identity === undefined) throw new Error('The request was not identified');
  const settings: ApiSettings = { role: identity.role };
  if ('accountId' in identity) settings['app.account_id'] = identity.accountId;
  const operation = getOperationAST(document, operationName);
  if (operation?.operation === 'query') settings.transaction_read_only = 'on';
  return settings;
}

async function identityOf(key: Uint8Array, header: string | undefined): Promise<Identity> {
  if (header === undefined) return ANONYMOUS;
  const token = /^Bearer +([^\s]+)$/i.exec(header.trim())?.[1];
  if (token === undefined) throw unauthenticated('The Authorization header is not a bearer token');
  try {
    return await verifyToken(key, token);
  } catch (error) {
    if (error instanceof TokenError) throw unauthenticated(error.message);
    throw error;
  }
}

function unauthenticated(message: string): SafeError {
  return new SafeError(message, {
    statusCode: 401,
    code: 'UNAUTHENTICATED',
    hint: 'Sign in again, or send no Authorization header to read what is public.',
  });
}
