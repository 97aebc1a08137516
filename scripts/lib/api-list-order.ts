/**
 * The smart tag `@listOrder CREATED_AT_DESC,ID_DESC` on a function that returns a list: the default
 * of its `orderBy`. The values have to name a unique key in the end, for the cursors hang on it.
 *
 * With its order spelled out, the order in which the function happens to return rows means nothing;
 * knowing that, PostGraphile joins what is asked of the rows instead of sending another statement.
 */
export const ListOrderPlugin: GraphileConfig.Plugin = {
  name: 'MillraceListOrderPlugin',
  version: '0.0.0',
  after: ['PgConnectionArgOrderByDefaultValuePlugin'],
  gather: {
    hooks: {
      pgProcedures_PgResourceOptions(_info, { resourceOptions }) {
        if (resourceOptions.extensions?.tags?.listOrder) resourceOptions.hasImplicitOrder = false;
      },
    },
  },
  schema: {
    hooks: {
      GraphQLObjectType_fields_field_args_arg(arg, build, context) {
        const { argName, fieldName, pgFieldResource } = context.scope;
        const order = pgFieldResource?.extensions?.tags?.listOrder;
        if (argName !== 'orderBy' || typeof order !== 'string') return arg;
        const type = build.graphql.getNamedType(arg.type);
        const values = build.graphql.isEnumType(type) ? type.getValues() : [];
        const defaultValue = order.split(',').map((name) => {
          const value = values.find((candidate) => candidate.name === name.trim());
          if (value === undefined) {
            throw new Error(`@listOrder of ${fieldName}: ${name} is none of ${values.join(', ')}`);
          }
          return value.value;
        });
        return { ...arg, defaultValue };
      },
    },
  },
};
