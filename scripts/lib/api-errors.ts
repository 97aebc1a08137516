import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { isSafeError } from 'postgraphile/grafast';
import { GraphQLError, type GraphQLFormattedError } from 'postgraphile/graphql';
import { log } from './log.ts';

/*
 * What a client learns of an error. The application's own errors are written for it and pass with
 * code, detail and hint. Of Postgres's own errors a client learns at most the kind; of all others
 * nothing but the id under which the log has the rest: messages of Postgres quote data, SQL and
 * names of things that are not in the API.
 */

/** Two letters and three digits: ours, except for Postgres's classes of the same shape. */
const APPLICATION_SQLSTATE = /^(?!XX|HV)[A-Z]{2}[0-9]{3}$/;

/** Kinds of Postgres errors that a client can do something about, by SQLSTATE or its class. */
const KINDS: Record<string, { code: string; message: string; hint: string }> = {
  '42501': {
    code: 'FORBIDDEN',
    message: 'You are not allowed to do this',
    hint: 'Sign in, or ask somebody who may.',
  },
  '25006': {
    code: 'READ_ONLY',
    message: 'A query cannot change anything',
    hint: 'Send it as a mutation.',
  },
  '57014': {
    code: 'TIMEOUT',
    message: 'The request took too long and was cancelled',
    hint: 'Ask for less at once.',
  },
  '22': {
    code: 'BAD_INPUT',
    message: 'A value is not valid for its type',
    hint: 'Check the arguments: numbers out of range, malformed dates and the like.',
  },
  '40': {
    code: 'CONFLICT',
    message: 'The request collided with another one and changed nothing',
    hint: 'Send it again.',
  },
  '55P03': {
    code: 'BUSY',
    message: 'Somebody else is changing the same thing; nothing was changed',
    hint: 'Send it again.',
  },
};

/** A request that is no GraphQL, or not for this schema. */
const BAD_REQUEST = {
  code: 'BAD_REQUEST',
  hint: 'Compare the request with the schema: its fields, its arguments and their types.',
};

/** A value that a field refuses, where nothing closer is known. */
const BAD_INPUT = { code: 'BAD_INPUT', hint: 'Check the arguments of the field.' };

/** Grafserv's `maskError`: every error of a response passes here. */
export function maskError(error: GraphQLError): GraphQLError | GraphQLFormattedError {
  const cause = error.originalError;
  if (cause === undefined || cause === null || cause instanceof GraphQLError) {
    // Found before anything was run: the message and its place come from the parser, the validation
    // or a scalar.
    return describeBadRequest(error);
  }
  if (isSafeError(cause)) {
    // The status is that of the response, not a part of it.
    const { statusCode, ...extensions } = cause.extensions ?? {};
    return rewrite(error, cause.message, { ...BAD_INPUT, ...extensions });
  }
  if (cause instanceof pg.DatabaseError && APPLICATION_SQLSTATE.test(cause.code ?? '')) {
    const { code, detail, hint } = cause;
    return rewrite(error, cause.message, { code, detail, hint });
  }
  const errorId = randomUUID();
  const { path } = error;
  const sqlState = cause instanceof pg.DatabaseError ? (cause.code ?? '') : '';
  const kind = KINDS[sqlState] ?? KINDS[sqlState.slice(0, 2)];
  if (kind !== undefined) {
    // Any client can provoke these at will: one line, no stack.
    log.info({ errorId, path, sqlState, reason: cause.message }, 'an error was masked');
    return rewrite(error, kind.message, { code: kind.code, hint: kind.hint, errorId });
  }
  log.error({ errorId, path, err: cause }, 'an error was masked');
  return rewrite(error, `Something went wrong; it is logged as ${errorId}`, {
    code: 'INTERNAL',
    errorId,
  });
}

/** An error of a parser, the validation or a scalar, with its own code and hint if it has them. */
export function describeBadRequest(error: GraphQLError): GraphQLError {
  return rewrite(error, error.message, { ...BAD_REQUEST, ...error.extensions });
}

function rewrite(
  error: GraphQLError,
  message: string,
  extensions: Record<string, unknown>,
): GraphQLError {
  return new GraphQLError(message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions,
  });
}
