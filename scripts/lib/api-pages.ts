import { lambda, SafeError, type Step } from 'postgraphile/grafast';

/*
 * Every list has a page size: 20 unless asked otherwise, 100 at most, or what the smart tag
 * `@pageMax` of its function says, 500 at most. More is an error rather than a silent cut: a client
 * that takes 100 rows for all of them is wrong without knowing it. `offset` is removed: its cost
 * grows with the place in the list and it skips rows when others are added; cursors do neither.
 */

export const PAGE_DEFAULT = 20;
export const PAGE_MAX = 100;
/** The most that a `@pageMax` may allow. */
export const PAGE_MAX_EVER = 500;

/** What both a connection and a list step have. */
interface Pageable extends Step {
  setFirst(first: Step): void;
  setLast(last: Step): void;
}

export const PagesPlugin: GraphileConfig.Plugin = {
  name: 'MillracePagesPlugin',
  version: '0.0.0',
  description: 'Default and maximum page size of every list',
  after: ['PgFirstLastBeforeAfterArgsPlugin'],
  schema: {
    hooks: {
      GraphQLObjectType_fields_field_args(args, _build, context) {
        const { isPgFieldConnection, isPgFieldSimpleCollection } = context.scope;
        if (!isPgFieldConnection && !isPgFieldSimpleCollection) return args;
        const { first, last, offset: _offset, ...others } = args;
        const max = pageMax(context.scope);
        return {
          ...(first && { first: { ...describe(first, 'first', max), applyPlan: undefined } }),
          ...(last && { last: { ...describe(last, 'last', max), applyPlan: undefined } }),
          ...others,
        };
      },
      GraphQLObjectType_fields_field(field, _build, context) {
        const { isPgFieldConnection, isPgFieldSimpleCollection } = context.scope;
        const { plan } = field;
        if (!(isPgFieldConnection || isPgFieldSimpleCollection) || !plan) return field;
        const max = pageMax(context.scope);
        const firstOf = FIRST[max] as (sizes: readonly Size[]) => Size;
        const lastOf = LAST[max] as (sizes: readonly Size[]) => Size;
        return {
          ...field,
          plan($parent, fieldArgs, info) {
            const $list = plan($parent, fieldArgs, info) as Pageable;
            // Undefined where the field has no such argument.
            const $first: Step | undefined = fieldArgs.getRaw('first');
            const $last: Step | undefined = fieldArgs.getRaw('last');
            if ($first === undefined) return $list;
            const $sizes = $last === undefined ? [$first] : [$first, $last];
            $list.setFirst(lambda($sizes, firstOf, true));
            if ($last !== undefined) $list.setLast(lambda($sizes, lastOf, true));
            return $list;
          },
        };
      },
    },
  },
};

type Size = number | null | undefined;

/** The largest page of a list: what its function's `@pageMax` says, or PAGE_MAX. */
function pageMax(scope: {
  fieldName?: string;
  pgFieldResource?: { extensions?: { tags?: object } };
}): number {
  const tags = scope.pgFieldResource?.extensions?.tags as { pageMax?: unknown } | undefined;
  if (tags?.pageMax === undefined) return PAGE_MAX;
  if (Number(tags.pageMax) === PAGE_MAX_EVER) return PAGE_MAX_EVER;
  throw new Error(`@pageMax of ${scope.fieldName}: ${PAGE_MAX_EVER}, not ${tags.pageMax}`);
}

/*
 * One function for each maximum, made once: steps with the same function and arguments are merged,
 * and a plan that is reused must not hold another field's maximum.
 */
const MAXIMA = [PAGE_MAX, PAGE_MAX_EVER];
const FIRST = Object.fromEntries(
  MAXIMA.map((max) => [
    max,
    ([first, last]: readonly Size[]): Size => {
      if (first === null || first === undefined) {
        return typeof last === 'number' ? null : PAGE_DEFAULT;
      }
      return checked('first', first, max);
    },
  ]),
);
const LAST = Object.fromEntries(
  MAXIMA.map((max) => [
    max,
    ([first, last]: readonly Size[]): Size => {
      if (last === null || last === undefined) return null;
      if (typeof first === 'number') {
        throw new SafeError('Ask for first or for last, not for both', { code: 'BAD_PAGE' });
      }
      return checked('last', last, max);
    },
  ]),
);

function checked(name: string, size: number, max: number): number {
  if (size >= 0 && size <= max) return size;
  throw new SafeError(`${name} must be from 0 to ${max}, not ${size}`, {
    code: 'BAD_PAGE',
    hint: `Ask for pages of at most ${max} and go on from pageInfo.endCursor.`,
  });
}

function describe<T extends object>(arg: T, name: 'first' | 'last', max: number): T {
  const standard = name === 'first' ? ` Default ${PAGE_DEFAULT}.` : '';
  return { ...arg, description: `Page size, from 0 to ${max}.${standard}` };
}
