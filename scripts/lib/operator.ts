import './graphile-env.ts';

import type { IncomingMessage, ServerResponse } from 'node:http';
import pg from 'pg';
import { makeSchema } from 'postgraphile';
import { SafeError } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import { type ExecutionArgs, getOperationAST } from 'postgraphile/graphql';
import preset from '../../graphile.config.ts';
import { BadRequestsPlugin } from './api-bad-requests.ts';
import { BigIntPlugin } from './api-big-int.ts';
import { limitsPlugin } from './api-limits.ts';
import { ListOrderPlugin } from './api-list-order.ts';
import { NamesPlugin } from './api-names.ts';
import { PagesPlugin } from './api-pages.ts';
import { RequestsPlugin } from './api-requests.ts';
import { TokenError } from './jwt.ts';
import { log } from './log.ts';
import { verifyOperator } from './operator-token.ts';
import { guarded } from './pg-owner.ts';
import { makeApiPgService } from './pg-service.ts';

/*
 * The operator endpoint: schema app_operator at `/operator/graphql`. A schema, a login and tokens of
 * its own: PostGraphile shows what a login can become, so the login of the public endpoint must not
 * become an operator. It has few requests, which wait for nobody else's: two connections of its own.
 */

export const OPERATOR_SCHEMAS = ['app_operator'];

/** As the API, without the plugins that add fields to it. */
const PRESET: GraphileConfig.Preset = {
  ...preset,
  plugins: [
    NamesPlugin,
    BigIntPlugin,
    PagesPlugin,
    ListOrderPlugin,
    BadRequestsPlugin,
    limitsPlugin(),
  ],
};

const PATH = '/operator';

export interface OperatorOptions {
  /** Login app_operator_login. */
  connectionString: string;
  /** Key of the tokens. */
  key: Uint8Array;
  /** Ruru at `/operator`. */
  development: boolean;
}

export interface OperatorEndpoint {
  /** Answers what is below `/operator`; false for any other path. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  stop(): Promise<void>;
}

declare global {
  // biome-ignore lint/style/noNamespace: grafast takes the types of its context this way.
  namespace Grafast {
    interface RequestContext {
      /** Who sends a request to the operator endpoint. */
      operator?: string;
    }
  }
}

/** The GraphQL schema of the operator endpoint, from the database as it is now. */
export function makeOperatorSchema(
  pool: pg.Pool,
  extend: GraphileConfig.Preset = {},
): ReturnType<typeof makeSchema> {
  return makeSchema({
    extends: [PRESET, extend],
    // Statements without names, as behind a pooler: there may be one, and few are sent twice.
    pgServices: [
      makeApiPgService(
        { pooled: true, anonymous: pool, reads: pool, writes: pool },
        OPERATOR_SCHEMAS,
      ),
    ],
    grafast: {
      context: (request, args) => ({
        pgSettings: {
          role: 'app_operator',
          ...(isMutation(args) ? {} : { transaction_read_only: 'on' }),
          ...(request.operator === undefined ? {} : { 'app.operator': request.operator }),
        },
      }),
    },
    grafserv: {
      graphqlPath: `${PATH}/graphql`,
      graphiqlPath: PATH,
      graphiqlStaticPath: `${PATH}/ruru-static/`,
      websockets: false,
    },
  });
}

export function makeOperatorPool(connectionString: string): pg.Pool {
  const name = 'millrace operator';
  return guarded(
    new pg.Pool({
      connectionString,
      application_name: name,
      max: 2,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      query_timeout: 60_000,
    }),
    name,
  );
}

/** @throws when the database cannot be reached by this login, or is not migrated. */
export async function startOperator(options: OperatorOptions): Promise<OperatorEndpoint> {
  const pool = makeOperatorPool(options.connectionString);
  try {
    const { schema, resolvedPreset } = await makeOperatorSchema(pool, {
      plugins: [RequestsPlugin, operatorPlugin(options.key)],
      grafserv: { graphiql: options.development },
    });
    const api = grafserv({ schema, preset: resolvedPreset });
    await api.ready();
    const handle = api.createHandler();
    return {
      handle(request, response) {
        const path = request.url?.split('?')[0] ?? '';
        if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
        handle(request, response);
        return true;
      },
      async stop() {
        await api.release();
        await pool.end();
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** Lets operators in, and notes who changed what; arguments are not logged. */
function operatorPlugin(key: Uint8Array): GraphileConfig.Plugin {
  return {
    name: 'MillraceOperatorPlugin',
    version: '0.0.0',
    before: ['MillraceLimitsPlugin'],
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, event) {
          if (event.request === undefined) throw new Error('Only HTTP requests are served');
          try {
            event.request.requestContext.operator = await verifyOperator(
              key,
              event.request.getHeader('authorization'),
            );
          } catch (error) {
            if (!(error instanceof TokenError)) throw error;
            throw new SafeError(
              error.message,
              {
                statusCode: 401,
                code: 'UNAUTHENTICATED',
                hint: 'Make one on the host: npm run operator-token.',
              },
              { cause: error },
            );
          }
          return next();
        },
      },
    },
    grafast: {
      middleware: {
        execute(next, { args }) {
          const operation = getOperationAST(args.document, args.operationName);
          if (operation?.operation === 'mutation') {
            const fields = operation.selectionSet.selections.map((selection) =>
              'name' in selection ? selection.name.value : '…',
            );
            log.info(
              { operator: args.requestContext?.operator, fields },
              'an operator changes something',
            );
          }
          return next();
        },
      },
    },
  };
}

function isMutation({ document, operationName }: ExecutionArgs): boolean {
  return getOperationAST(document, operationName)?.operation === 'mutation';
}
