import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import {
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  Kind,
  parse,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'postgraphile/graphql';
import { LIMITS } from './api-limits.ts';
import type { ApiSettings } from './pg-service.ts';

/*
 * What a GraphQL operation reads: known before it runs, from the schema and the catalog.
 *
 * When the schema is built, each field notes which table, view or function its plan reads. The
 * catalog says what those read in turn: views their tables, functions whose body Postgres knows
 * (`begin atomic`, `return`) what stands in it, tables what their policies look up. A function with
 * a body that only its language knows may read anything.
 *
 * A field that noted nothing is unknown, and so is the operation.
 */

/** What an answer depends on. */
export type Reads =
  /** Not known, or on who asks, or it changes something: never kept. */
  | { kind: 'nothing kept'; why: 'unknown' | 'viewer' | 'not a query' }
  /** On these relations, and on nothing else: neither other tables nor the time. */
  | { kind: 'relations'; relations: ReadonlySet<string> }
  /** On anything that is the same for every visitor. */
  | { kind: 'anything' };

/** What a field reads by itself. */
type Source =
  /** What has been read already: a column, a page's parts. */
  | { kind: 'nothing' }
  /** A table, view or function, by its qualified name. */
  | { kind: 'relation' | 'function'; name: string }
  | { kind: 'unknown' };

/** What a function or relation reads in the end. */
interface Catalogued {
  relations: string[];
  /** Something in it may read anything, or the time. */
  opaque: boolean;
  /** It asks itself who asks. Policies do too: to them all visitors are the same. */
  asksWho: boolean;
}

declare global {
  // biome-ignore lint/style/noNamespace: graphql takes the types of extensions this way.
  namespace GraphileBuild {
    interface MillraceFieldExtensions {
      millraceReads?: Source;
    }
  }
}

interface PgExtension {
  extensions?: { pg?: { schemaName: string; name: string } };
}
interface Resource extends PgExtension {
  name: string;
  codec: PgExtension & { name: string };
  parameters?: readonly { codec: unknown }[];
  isUnique?: boolean;
}
/** The parts of a field's scope that say what it reads. */
interface Scope {
  fieldName: string;
  pgCodec?: unknown;
  pgFieldAttribute?: unknown;
  pgFieldResource?: Resource;
  pgRelationDetails?: {
    codec: { name: string };
    relationName: string;
    registry: { pgRelations: Record<string, Record<string, { remoteResource: Resource }>> };
  };
  isPgConnectionRelated?: boolean;
  isConnectionEdgeType?: boolean;
  isPageInfo?: boolean;
}

const NOTHING: Source = { kind: 'nothing' };
const UNKNOWN: Source = { kind: 'unknown' };

/** Notes at each field what it reads. */
export const ReadsPlugin: GraphileConfig.Plugin = {
  name: 'MillraceReadsPlugin',
  version: '0.0.0',
  description: 'Notes at each field of a query what its plan reads',
  schema: {
    hooks: {
      GraphQLObjectType_fields_field: {
        // After those that make another field of it.
        provides: ['millrace-reads'],
        callback(field, build, context) {
          const resources = Object.values(
            build.input.pgRegistry.pgResources as unknown as Record<string, Resource>,
          );
          const inflection = build.inflection as unknown as {
            computedAttributeField(details: { resource: Resource }): string;
          };
          const scope = context.scope as unknown as Scope;
          const computed = resources.find(
            (resource) =>
              scope.pgCodec !== undefined &&
              resource.parameters?.[0]?.codec === scope.pgCodec &&
              inflection.computedAttributeField({ resource }) === scope.fieldName,
          );
          const millraceReads = sourceOf(scope, computed);
          return { ...field, extensions: { ...field.extensions, millraceReads } };
        },
      },
    },
  },
};

function sourceOf(scope: Scope, computed: Resource | undefined): Source {
  if (scope.pgFieldResource) return named(scope.pgFieldResource);
  if (scope.pgRelationDetails) {
    const { registry, codec, relationName } = scope.pgRelationDetails;
    const relation = registry.pgRelations[codec.name]?.[relationName];
    return relation === undefined ? UNKNOWN : named(relation.remoteResource);
  }
  if (scope.isPgConnectionRelated || scope.isPageInfo || scope.pgFieldAttribute) return NOTHING;
  if (computed !== undefined) return named(computed);
  return scope.fieldName === 'nodeId' && scope.pgCodec !== undefined ? NOTHING : UNKNOWN;
}

function named(resource: Resource): Source {
  const isFunction = resource.parameters !== undefined;
  const pg = isFunction
    ? (resource.extensions?.pg ?? resource.codec.extensions?.pg)
    : resource.codec.extensions?.pg;
  if (pg === undefined) return UNKNOWN;
  return { kind: isFunction ? 'function' : 'relation', name: `${pg.schemaName}.${pg.name}` };
}

const SETTINGS: ApiSettings = { role: 'app_anonymous', transaction_read_only: 'on' };

/*
 * What each relation and function of the API's schemas leads to. Policies of a table count with it,
 * and what they call; a foreign table or a system view is opaque. What depends on the time is
 * recognised by the words for it.
 */
const CATALOG = `
with recursive member as (
  select c.oid, 'pg_class'::regclass::oid as class, n.nspname || '.' || c.relname as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any ($1) and c.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select p.oid, 'pg_proc'::regclass, n.nspname || '.' || p.proname
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = any ($1)
),
reads as (
  select m.class as root_class, m.oid as root, m.class, m.oid as object from member m
  union
  select r.root_class, r.root, next.refclassid, next.refobjid
  from reads r
  cross join lateral (
    select d.refclassid, d.refobjid from pg_depend d
    where r.class = 'pg_proc'::regclass and d.classid = r.class and d.objid = r.object
    union all
    select d.refclassid, d.refobjid
    from pg_policy p join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
    where r.class = 'pg_class'::regclass and p.polrelid = r.object and p.polcmd in ('r', '*')
    union all
    select d.refclassid, d.refobjid
    from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
    where r.class = 'pg_class'::regclass and w.ev_class = r.object
  ) next
  where next.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
),
object as (
  select distinct r.class, r.object from reads r
),
described as (
  select o.class, o.object, c.relkind in ('r', 'p', 'm') as is_table,
    n.nspname || '.' || c.relname as name,
    c.relkind = 'f' or exists (
      select from pg_policy p
      where p.polrelid = c.oid and pg_get_expr(p.polqual, p.polrelid) ~* $2
    ) or c.relkind in ('v', 'm') and pg_get_viewdef(c.oid) ~* $2 as opaque,
    false as asks_who
  from object o
  join pg_class c on o.class = 'pg_class'::regclass and c.oid = o.object
  join pg_namespace n on n.oid = c.relnamespace
  union all
  select o.class, o.object, false, null,
    p.prosqlbody is null or p.provolatile = 'v' or pg_get_functiondef(p.oid) ~* $2,
    pg_get_functiondef(p.oid) ~ 'current_account_id'
  from object o
  join pg_proc p on o.class = 'pg_proc'::regclass and p.oid = o.object and p.prokind = 'f'
)
select m.class = 'pg_proc'::regclass as "isFunction", m.name,
  coalesce(array_agg(d.name) filter (where d.is_table), '{}') as relations,
  bool_or(d.opaque) as opaque,
  bool_or(d.asks_who) filter (where d.class = m.class and d.object = m.oid) as "asksWho"
from member m
join reads r on r.root_class = m.class and r.root = m.oid
join described d on d.class = r.class and d.object = r.object
group by m.class, m.oid, m.name`;

/** Words of SQL whose value is another one later, or another time. */
const TIME_OR_CHANCE =
  '\\m(now|current_timestamp|current_date|current_time|localtime|localtimestamp|age|random|' +
  '[a-z]+_timestamp|timeofday|gen_random_uuid|uuidv[47]|current_setting|txid_[a-z_]+|pg_[a-z_]+)\\M';

/** How an operation's dependence on data is found out. */
export type ReadsOf = (query: string, operationName: string | undefined) => Reads;

/**
 * Looks the catalog up once, for a schema.
 *
 * @param schemas of the API, and of the functions that it calls.
 */
export async function makeReadsOf(
  schema: GraphQLSchema,
  withPgClient: WithPgClient,
  schemas: string[],
): Promise<ReadsOf> {
  const { rows } = await withPgClient(SETTINGS, (client) =>
    client.query<Catalogued & { isFunction: boolean; name: string }>({
      text: CATALOG,
      values: [`{${schemas.join(',')}}`, TIME_OR_CHANCE],
    }),
  );
  const catalog = new Map<string, Catalogued>();
  for (const row of rows) {
    const key = `${row.isFunction ? 'function' : 'relation'}:${row.name}`;
    const known = catalog.get(key);
    // Of several functions of a name any may be meant.
    catalog.set(key, {
      relations: [...row.relations, ...(known?.relations ?? [])],
      opaque: row.opaque || known?.opaque === true,
      asksWho: row.asksWho || known?.asksWho === true,
    });
  }
  const found = new LRUCache<string, Reads>({ max: 2_000 });
  return (query, operationName) => {
    // Not the text: two thousand of the longest would be a lot of memory.
    const key = createHash('sha1')
      .update(`${operationName ?? ''}\n${query}`)
      .digest('base64url');
    let reads = found.get(key);
    if (reads === undefined) {
      reads = analyse(schema, catalog, query, operationName);
      found.set(key, reads);
    }
    return reads;
  };
}

const NEVER = (why: 'unknown' | 'viewer' | 'not a query'): Reads => ({ kind: 'nothing kept', why });

function analyse(
  schema: GraphQLSchema,
  catalog: Map<string, Catalogued>,
  query: string,
  operationName: string | undefined,
): Reads {
  let document: ReturnType<typeof parse>;
  try {
    document = parse(query, { noLocation: true, maxTokens: LIMITS.tokens });
  } catch {
    return NEVER('unknown');
  }
  const operation = getOperationAST(document, operationName);
  if (operation?.operation !== 'query') return NEVER('not a query');
  if (
    document.definitions.some(
      (it) => it.kind === Kind.OPERATION_DEFINITION && it.operation !== 'query',
    )
  ) {
    return NEVER('not a query');
  }
  const relations = new Set<string>();
  let opaque = false;
  let never: 'unknown' | 'viewer' | null = null;
  const types = new TypeInfo(schema);
  // Fragments and other operations of the document too: more than is read, never less.
  visit(
    document,
    visitWithTypeInfo(types, {
      Field(node) {
        if (node.name.value === '__typename') return;
        const field = types.getFieldDef();
        const source = (field?.extensions as { millraceReads?: Source } | undefined)?.millraceReads;
        if (source === undefined || source.kind === 'unknown') {
          never ??= 'unknown';
          return;
        }
        if (source.kind === 'nothing') return;
        const found = catalog.get(`${source.kind}:${source.name}`);
        if (found === undefined) {
          never ??= 'unknown';
          return;
        }
        if (found.asksWho) never = 'viewer';
        opaque ||= found.opaque;
        for (const relation of found.relations) relations.add(relation);
        // What comes of a function is read on as its type: the policies of its table are in it.
        const type = getNamedType(field!.type).name;
        if (type === 'Query') never ??= 'unknown';
      },
    }),
  );
  if (never !== null) return NEVER(never);
  return opaque ? { kind: 'anything' } : { kind: 'relations', relations };
}
