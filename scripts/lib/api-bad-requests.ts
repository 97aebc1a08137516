import { describeBadRequest } from './api-errors.ts';

/*
 * Errors of parsing and validating do not pass maskError: nothing has run. They get a code and a
 * hint here, so that a client finds both in every error.
 */

export const BadRequestsPlugin: GraphileConfig.Plugin = {
  name: 'MillraceBadRequestsPlugin',
  version: '0.0.0',
  grafserv: {
    middleware: {
      setPreset(next, event) {
        const { getExecutionConfig } = event;
        event.getExecutionConfig = async function (context) {
          const config = await getExecutionConfig.call(this, context);
          const { parseAndValidate } = config;
          return {
            ...config,
            parseAndValidate(query) {
              const result = parseAndValidate(query);
              if (result.errors === undefined) return result;
              return { errors: result.errors.map(describeBadRequest) };
            },
          };
        };
        return next();
      },
    },
  },
};
