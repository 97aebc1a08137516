import { GraphQLError, Kind } from 'postgraphile/graphql';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/**
 * `BigInt` takes what a person writes, `conversation(id: 1)`, besides the strings that it returns,
 * and refuses what Postgres would refuse before a statement is sent.
 */
export const BigIntPlugin: GraphileConfig.Plugin = {
  name: 'MillraceBigIntPlugin',
  version: '0.0.0',
  schema: {
    hooks: {
      GraphQLScalarType(config) {
        if (config.name !== 'BigInt') return config;
        return {
          ...config,
          parseValue: toBigInt,
          parseLiteral: (node) =>
            toBigInt(node.kind === Kind.INT || node.kind === Kind.STRING ? node.value : node.kind),
        };
      },
    },
  },
};

/** The number as a text, which is how it travels to Postgres. */
function toBigInt(value: unknown): string {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new GraphQLError('BigInt takes numbers above 2^53 as strings: as such they are exact');
  }
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^-?[0-9]{1,1000}$/.test(text)) {
    throw new GraphQLError('BigInt takes a whole number, or a string of one');
  }
  if (BigInt(text) < MIN || BigInt(text) > MAX) {
    throw new GraphQLError(`BigInt takes numbers from ${MIN} to ${MAX}`);
  }
  return text;
}
