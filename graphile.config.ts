import './scripts/lib/graphile-env.ts';

import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { PostGraphileConnectionFilterPreset } from 'postgraphile-plugin-connection-filter';
import { BadRequestsPlugin } from './scripts/lib/api-bad-requests.ts';
import { BigIntPlugin } from './scripts/lib/api-big-int.ts';
import { maskError } from './scripts/lib/api-errors.ts';
import { limitsPlugin } from './scripts/lib/api-limits.ts';
import { ListOrderPlugin } from './scripts/lib/api-list-order.ts';
import { NamesPlugin } from './scripts/lib/api-names.ts';
import { PagesPlugin } from './scripts/lib/api-pages.ts';
import { SubscriptionsPlugin } from './scripts/lib/api-subscriptions.ts';
import { SignInPlugin } from './scripts/lib/sign-in.ts';

/**
 * The public API: what of schema app_public it shows, and how. The database, the identity of a
 * request and the address are added by scripts/lib/server.ts.
 */
const preset: GraphileConfig.Preset = {
  extends: [
    PostGraphileAmberPreset,
    PgSimplifyInflectionPreset,
    PostGraphileConnectionFilterPreset,
  ],
  plugins: [
    NamesPlugin,
    BigIntPlugin,
    PagesPlugin,
    ListOrderPlugin,
    SubscriptionsPlugin,
    BadRequestsPlugin,
    SignInPlugin,
    limitsPlugin(),
  ],
  disablePlugins: [
    // A fault in a smart tag has to be seen, not to take a field away.
    'SwallowErrorsPlugin',
    // What a mutation changed is its `result`, and everything can be reached from there: that is one
    // more round trip to the database. Unrelated reads are a query.
    'MutationPayloadQueryPlugin',
    'PgMutationPayloadEdgePlugin',
    // `filter` says the same and more than `condition`.
    'PgConditionArgumentPlugin',
    'PgConditionCustomFieldsPlugin',
    // Filters stay on the columns of the list itself: each can be served by an index.
    'PgConnectionArgFilterBackwardRelationsPlugin',
    'PgConnectionArgFilterForwardRelationsPlugin',
    'PgConnectionArgFilterLogicalOperatorsPlugin',
    'PgConnectionArgFilterComputedAttributesPlugin',
    'PgConnectionArgFilterRecordFunctionsPlugin',
    'PgConnectionArgFilterCompositeTypeAttributesPlugin',
  ],
  gather: {
    pgStrictFunctions: true,
    installWatchFixtures: false,
  },
  schema: {
    // Writes that mean something are functions. A list's size is a counter: `totalCount` would
    // count the rows at every request.
    defaultBehavior: '-insert -update -delete -totalCount',
    // Operators that an index on the column serves.
    connectionFilterAllowedOperators: [
      'isNull',
      'equalTo',
      'in',
      'lessThan',
      'lessThanOrEqualTo',
      'greaterThan',
      'greaterThanOrEqualTo',
    ],
    connectionFilterArrays: false,
    connectionFilterComputedColumns: false,
    connectionFilterSetofFunctions: false,
    connectionFilterLogicalOperators: false,
  },
  grafast: {
    // Milliseconds; the limits above keep a request far below, on a machine that is not overloaded.
    timeouts: { planning: 2_000, execution: 10_000 },
    explain: false,
  },
  grafserv: {
    graphqlPath: '/graphql',
    graphiqlPath: '/',
    graphiqlOnGraphQLGET: false,
    graphqlOverGET: false,
    websockets: true,
    watch: false,
    // Bytes: a batch of 1,000 events. The document itself has a limit of its own, see above.
    maxRequestLength: 1_000_000,
    maskError,
  },
};

export default preset;
