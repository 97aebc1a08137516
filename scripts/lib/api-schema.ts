import './graphile-env.ts';

import { makeSchema } from 'postgraphile';
import { lexicographicSortSchema, printSchema } from 'postgraphile/graphql';
import preset from '../../graphile.config.ts';
import { loginConnectionString } from './config.ts';
import { type ApiPools, endApiPools, makeApiPgService, makeApiPools } from './pg-service.ts';

/** The schemas that clients see. */
export const API_SCHEMAS = ['app_public'];

/** Builds the GraphQL schema from the database as it is now. */
export function makeApiSchema(
  pools: ApiPools,
  extend: GraphileConfig.Preset = {},
): ReturnType<typeof makeSchema> {
  return makeSchema({
    extends: [preset, extend],
    pgServices: [makeApiPgService(pools, API_SCHEMAS)],
  });
}

/**
 * The GraphQL schema in its own language, sorted, for the snapshot: what clients may rely on.
 *
 * @param connectionString the owner's; the schema is read as the API's login, which sees less.
 */
export async function printApiSchema(connectionString: string): Promise<string> {
  const pools = makeApiPools({
    connectionString: loginConnectionString(connectionString, 'app_authenticator'),
    poolSize: 1,
  });
  try {
    const { schema } = await makeApiSchema(pools);
    return `${printSchema(lexicographicSortSchema(schema))}\n`;
  } finally {
    await endApiPools(pools);
  }
}
