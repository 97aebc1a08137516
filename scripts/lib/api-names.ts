/**
 * Names where the preset's differ from the database's: a row's `id` is the column (the number that
 * functions take and imports print), the global identifier of Relay is `nodeId`.
 */
export const NamesPlugin: GraphileConfig.Plugin = {
  name: 'MillraceNamesPlugin',
  version: '0.0.0',
  after: ['PgAttributesPlugin', 'NodePlugin', 'PgSimplifyInflectionPlugin'],
  inflection: {
    replace: {
      nodeIdFieldName: () => 'nodeId',
      _attributeName: (previous, _options, details) =>
        previous === undefined ? '' : previous({ ...details, skipRowId: true }),
    },
  },
};
