import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeError } from 'postgraphile/grafast';
import { parse } from 'postgraphile/graphql';
import { ConfigError } from './config.ts';
import type { OwnRequests } from './own-requests.ts';

/*
 * Persisted operations, by switch: the host runs the operations of a folder and no others. Clients
 * send an id in place of a text: the file's name without `.graphql`, or the SHA-256 of its text in
 * hexadecimal, also behind `sha256:` as GraphQL over HTTP has it, as `documentId`, `id` or `extensions.persistedQuery.sha256Hash`.
 *
 * All of them are read at the start, so what a client sends is only ever compared with a name, and
 * a change of the folder takes a restart. A text that is sent beside an id has no effect.
 */

/** The texts by their ids. */
export type PersistedOperations = ReadonlyMap<string, string>;

/**
 * Reads the operations of a folder.
 *
 * @throws ConfigError when it cannot be read, has none, or one has a syntax error.
 */
export async function loadPersistedOperations(folder: string): Promise<PersistedOperations> {
  const names = await readdir(folder).catch((cause: Error) => {
    throw new ConfigError(`PERSISTED_OPERATIONS: ${folder} cannot be read`, { cause });
  });
  const operations = new Map<string, string>();
  for (const name of names.filter((it) => it.endsWith('.graphql'))) {
    const text = await readFile(join(folder, name), 'utf8');
    try {
      parse(text, { noLocation: true });
    } catch (cause) {
      throw new ConfigError(
        `PERSISTED_OPERATIONS: ${join(folder, name)}: ${(cause as Error).message}`,
        { cause },
      );
    }
    operations.set(name.slice(0, -'.graphql'.length), text);
    const hash = createHash('sha256').update(text).digest('hex');
    operations.set(hash, text);
    operations.set(`sha256:${hash}`, text);
  }
  if (operations.size === 0) {
    throw new ConfigError(`PERSISTED_OPERATIONS: ${folder} has no file *.graphql`);
  }
  return operations;
}

/** Puts the text of the operation in place of its id; refuses everything else with OP003. */
export function persistedPlugin(
  operations: PersistedOperations,
  own: OwnRequests,
): GraphileConfig.Plugin {
  return {
    name: 'MillracePersistedPlugin',
    version: '0.0.0',
    after: ['MillraceIdentityPlugin'],
    grafserv: {
      middleware: {
        processGraphQLRequestBody(next, { body, request }) {
          const asked = request?.requestContext.node?.req;
          if (asked !== undefined && own.addressOf(asked) !== null) return next();
          const id = idOf(body);
          const text = id === undefined ? undefined : operations.get(id);
          if (text === undefined) {
            throw new SafeError(
              'This server runs the operations that are registered with it only',
              {
                statusCode: 400,
                code: 'OP003',
                hint: 'Send the id of one of them as documentId; whoever runs the server has the list.',
              },
            );
          }
          body.query = text;
          return next();
        },
      },
    },
  };
}

function idOf(body: { id?: unknown; documentId?: unknown; extensions?: unknown }) {
  const { persistedQuery } = (body.extensions ?? {}) as {
    persistedQuery?: { sha256Hash?: unknown };
  };
  const ids = [body.documentId, body.id, persistedQuery?.sha256Hash];
  return ids.find((id): id is string => typeof id === 'string');
}
