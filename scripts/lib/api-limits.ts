import { SafeError } from 'postgraphile/grafast';
import {
  type ArgumentNode,
  type DocumentNode,
  GraphQLError,
  Kind,
  parse,
  type SelectionSetNode,
  visit,
} from 'postgraphile/graphql';
import { PAGE_DEFAULT, PAGE_MAX_EVER } from './api-pages.ts';

/*
 * What a request may ask for, checked on the parsed document before it is validated and planned:
 * both take time that grows with the square of the fields (1,000 aliases: seconds of a process that
 * serves nobody else meanwhile), while this takes one walk over at most 1,000 tokens.
 *
 * Fragments count as often as they are spread. A fragment is measured once, so that a chain of
 * fragments that doubles at every link costs no more to measure than to read.
 */

export interface Limits {
  /** Of the document; variables, which may hold a batch of events, have the limit of the body. */
  characters: number;
  /** Lexical tokens of the document. */
  tokens: number;
  /** Levels of fields below each other. Introspection has its own rule, in the validation. */
  depth: number;
  aliases: number;
  directives: number;
  /** Fields, with those of spread fragments. */
  fields: number;
  /** Objects that the answer may have, by its page sizes. */
  objects: number;
}

export const LIMITS: Limits = {
  characters: 100_000,
  tokens: 1_000,
  depth: 10,
  aliases: 15,
  directives: 50,
  fields: 500,
  objects: 5_000,
};

/** What a document, or a part of one, asks for; counted as the limits are. */
type Measure = Omit<Limits, 'characters' | 'tokens'>;

const NOTHING: Measure = { depth: 0, aliases: 0, directives: 0, fields: 0, objects: 0 };

const NAMES: Record<keyof Limits, string> = {
  characters: 'characters',
  tokens: 'tokens',
  depth: 'levels of fields',
  aliases: 'aliases',
  directives: 'directives',
  fields: 'fields',
  objects: 'objects that it may return',
};

/** Refuses documents above the limits, with status 400 and the limit in the error. */
export function limitsPlugin(limits: Limits = LIMITS): GraphileConfig.Plugin {
  return {
    name: 'MillraceLimitsPlugin',
    version: '0.0.0',
    // A request has to be somebody's before work is done for it.
    after: ['MillraceIdentityPlugin'],
    grafserv: {
      middleware: {
        async processGraphQLRequestBody(next, event) {
          await next();
          const { query, variableValues } = event.body;
          if (typeof query === 'string') assertWithinLimits(query, variableValues, limits);
        },
      },
    },
  };
}

/**
 * @param variables the request's variables, as they came: page sizes may be among them.
 * @throws SafeError naming the limit that the document exceeds. A syntax error is not reported here.
 */
export function assertWithinLimits(query: string, variables: unknown, limits: Limits): void {
  const { characters, tokens, ...others } = limits;
  if (query.length > characters) throw tooMuch('characters', characters, query.length);
  const document = parseBounded(query, tokens);
  if (document === null) return;
  const asked = measureDocument(document, variables);
  for (const [name, limit] of Object.entries(others) as [keyof Measure, number][]) {
    if (asked[name] > limit) throw tooMuch(name, limit, asked[name]);
  }
}

/** Null for a document with a syntax error: the server's own parse reports it, with its place. */
function parseBounded(query: string, maxTokens: number): DocumentNode | null {
  try {
    return parse(query, { maxTokens, noLocation: true });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (/more (that|than) \d+ tokens/.test(error.message)) throw tooMuch('tokens', maxTokens);
    return null;
  }
}

function tooMuch(name: keyof Limits, limit: number, asked?: number): SafeError {
  const count = asked === undefined ? '' : `, not ${asked}`;
  return new SafeError(`A request may have at most ${limit} ${NAMES[name]}${count}`, {
    statusCode: 400,
    code: 'OP001',
    limit: name,
    maximum: limit,
    hint: 'Split it into several requests, or ask for smaller pages.',
  });
}

function measureDocument(document: DocumentNode, variables: unknown): Measure {
  const fragments = new Map<string, SelectionSetNode>();
  let directives = 0;
  visit(document, {
    Directive() {
      directives += 1;
    },
    FragmentDefinition(node) {
      fragments.set(node.name.value, node.selectionSet);
    },
  });
  const measured = new Map<string, Measure>();
  let total = NOTHING;
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const values = new Map<string, unknown>();
    for (const variable of definition.variableDefinitions ?? []) {
      const name = variable.variable.name.value;
      const sent = (variables as Record<string, unknown> | null | undefined)?.[name];
      values.set(name, sent ?? intValue(variable.defaultValue));
    }
    measured.clear();
    total = beside(
      total,
      measureSelections(definition.selectionSet, { fragments, measured, values }),
    );
  }
  return { ...total, directives };
}

interface Scope {
  fragments: Map<string, SelectionSetNode>;
  /** Fragments already measured; one that is being measured counts as nothing (a cycle). */
  measured: Map<string, Measure>;
  values: Map<string, unknown>;
}

function measureSelections(set: SelectionSetNode, scope: Scope): Measure {
  let total = NOTHING;
  for (const selection of set.selections) {
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      total = beside(total, measureFragment(selection.name.value, scope));
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      total = beside(total, measureSelections(selection.selectionSet, scope));
    } else if (selection.name.value === '__schema' || selection.name.value === '__type') {
      // Introspection: the validation rule for it knows what is expensive there.
      total = beside(total, { ...NOTHING, fields: 1, aliases: selection.alias ? 1 : 0 });
    } else {
      const inner =
        selection.selectionSet === undefined
          ? NOTHING
          : measureSelections(selection.selectionSet, scope);
      // An object is counted where it has fields. A list is recognised by its page: only what is
      // selected from `nodes` and `edges` comes once for each of its rows.
      const isPage = ['nodes', 'edges'].includes(selection.name.value);
      const rows = isPage ? 1 : pageSize(selection.arguments ?? [], selection.selectionSet, scope);
      const own = selection.selectionSet === undefined || selection.name.value === 'edges' ? 0 : 1;
      total = beside(total, {
        depth: 1 + inner.depth,
        aliases: (selection.alias === undefined ? 0 : 1) + inner.aliases,
        directives: 0,
        fields: 1 + inner.fields,
        objects: rows * inner.objects + own,
      });
    }
  }
  return total;
}

function measureFragment(name: string, scope: Scope): Measure {
  const known = scope.measured.get(name);
  if (known !== undefined) return known;
  const set = scope.fragments.get(name);
  if (set === undefined) return NOTHING;
  scope.measured.set(name, NOTHING);
  const measure = measureSelections(set, scope);
  scope.measured.set(name, measure);
  return measure;
}

/** How often what is below a field may come: the page that its arguments ask for. */
function pageSize(
  args: readonly ArgumentNode[],
  set: SelectionSetNode | undefined,
  scope: Scope,
): number {
  const sizes = args
    .filter((arg) => arg.name.value === 'first' || arg.name.value === 'last')
    .map((arg) =>
      arg.value.kind === Kind.VARIABLE
        ? scope.values.get(arg.value.name.value)
        : intValue(arg.value),
    )
    .filter((size) => typeof size === 'number');
  if (sizes.length > 0) return Math.min(PAGE_MAX_EVER, Math.max(0, ...sizes));
  return set !== undefined && selectsPage(set, scope, new Set()) ? PAGE_DEFAULT : 1;
}

/** Whether `nodes` or `edges` are selected, directly or through fragments. */
function selectsPage(set: SelectionSetNode, scope: Scope, seen: Set<string>): boolean {
  return set.selections.some((selection) => {
    if (selection.kind === Kind.FIELD) return ['nodes', 'edges'].includes(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return selectsPage(selection.selectionSet, scope, seen);
    }
    const name = selection.name.value;
    const inner = scope.fragments.get(name);
    if (inner === undefined || seen.has(name)) return false;
    seen.add(name);
    return selectsPage(inner, scope, seen);
  });
}

function intValue(node: { kind: string; value?: unknown } | undefined): number | undefined {
  return node?.kind === Kind.INT ? Number(node.value) : undefined;
}

/** Two parts side by side: the deeper one's depth, the sum of everything else. */
function beside(one: Measure, other: Measure): Measure {
  return {
    depth: Math.max(one.depth, other.depth),
    aliases: one.aliases + other.aliases,
    directives: one.directives + other.directives,
    fields: one.fields + other.fields,
    objects: one.objects + other.objects,
  };
}
