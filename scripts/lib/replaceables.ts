import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { PROJECT, type Scope } from './scope.ts';
import { displayPath, isDatabaseError, SqlFileError, SqlFilesError } from './sql-error.ts';
import { endsTransaction, type SqlStatement, splitStatements } from './sql-statements.ts';

/*
 * The replaceable half of the schema: functions/ (functions, views, triggers) and db/derived/ (the
 * declarations). A file is applied when its checksum changed or one of its objects is gone; all of
 * it in one transaction, so a fault anywhere leaves the database as it was.
 *
 * What each file made is recorded (replaceable.objects in the bookkeeping schema), because that decides what to
 * drop when the file goes or its signature changes. It is found by comparing the catalogs before
 * and after the file: what is new is its own; what was there and was written again is its own when
 * the file says `create` with that name (a grant on a neighbour does not make the neighbour its own).
 *
 * Order: no list of dependencies is kept. A file that fails for an object that does not exist (yet)
 * is tried again after the others, until a round moves nothing.
 *
 * A signature change is not a replacement for Postgres: other arguments make a second function
 * beside the old one, another return type is refused. So after a file has run, what it made before
 * and no longer makes is dropped, and where Postgres refuses the file, its old objects are dropped
 * first. What hangs on them (views, SQL-standard bodies, triggers, generated objects of
 * declarations) is dropped too when it is replaceable itself, and its file applied again; when it
 * is not (a policy or a default of a migration), the change is refused with the name of it.
 */

export interface ReplaceableDirectories {
  functions: string;
  derived: string;
}

export interface ReplaceablePlan {
  /** Files that would be applied: new, changed, or with an object that is gone. */
  changed: string[];
  /** Files that were applied and exist no more. */
  removed: string[];
}

export interface ApplyResult {
  /** Files applied, in the order in which they succeeded. */
  applied: string[];
  /** Identities of the dropped objects, such as `function app_public.f(bigint)`. */
  dropped: string[];
}

interface ReplaceableFile {
  /** `functions/<schema>/<object>.sql` or `derived/<module>.sql`: the key of the record. */
  path: string;
  /** Where it is on disk, for messages. */
  file: string;
  text: string;
  checksum: string;
}

interface Applied {
  checksum: string;
  objects: string[];
}

interface CatalogObject {
  classid: string;
  objid: string;
  /** Changes whenever the object is written again. */
  version: string;
}

/** What there is at a moment. */
interface Catalog {
  /** By class and id. */
  objects: Map<string, CatalogObject>;
  /** How many rows the catalogs have, those of extensions too. */
  total: number;
  /** The age of the newest version: what is written later has a lower one. */
  newest: number;
}

/** Undefined function, table, object, column, schema: made, perhaps, by a later file. */
const UNDEFINED = new Set(['42883', '42P01', '42704', '42703', '3F000']);

/** A definition that cannot replace the present one: function, view, kind of object. */
const IRREPLACEABLE = new Set(['42P13', '42P16', '42809', '42710', '42723', '42P07']);

/** Something depends on what is to be dropped. */
const DEPENDENTS = '2BP01';

/** Whether something cannot go because of what is built on it; the engine says so of relations. */
function isHeld({ code }: { code?: string | undefined }): boolean {
  return code === DEPENDENTS || code === 'MR031';
}

/** More rounds than any chain of signature changes needs: an endless one is a fault of this file. */
const MAX_APPLICATIONS = 8;

/** What `applyReplaceables` would do. Changes nothing; before the first migration: all is new. */
export async function planReplaceables(
  client: pg.ClientBase,
  directories: ReplaceableDirectories,
  scope: Scope = PROJECT,
): Promise<ReplaceablePlan> {
  const files = await readReplaceables(directories, scope);
  const present = await client.query('select to_regclass($1) is not null as present', [
    `${scope.bookkeeping}.replaceable`,
  ]);
  const applied = present.rows[0].present
    ? await readApplied(client, scope)
    : new Map<string, Applied>();
  return await plan(client, files, applied, scope);
}

/**
 * Applies what changed, in one transaction on the given connection, which must have the role of the
 * scope's owner and hold the migration lock. `finish` is the last step of that transaction.
 *
 * @throws SqlFileError or SqlFilesError; then nothing was changed.
 */
export async function applyReplaceables(
  client: pg.ClientBase,
  directories: ReplaceableDirectories,
  scope: Scope = PROJECT,
  finish: (result: ApplyResult) => Promise<void> = () => Promise.resolve(),
): Promise<ApplyResult> {
  const files = await readReplaceables(directories, scope);
  await client.query('begin');
  try {
    const result = await apply(client, files, scope);
    await finish(result);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/**
 * Drops every declaration and every object that functions/ made, except what an object of a
 * migration depends on: that is the migration's to drop. For `migrate down`, in its transaction.
 */
export async function dropReplaceables(
  client: pg.ClientBase,
  scope: Scope = PROJECT,
): Promise<void> {
  const applied = await readApplied(client, scope);
  const objects = (kind: (path: string) => boolean): Step[] =>
    [...applied]
      .filter(([path]) => !isDerived(path) && kind(path))
      .flatMap(([, it]) => it.objects)
      .map((object) => () => dropObject(client, object))
      .reverse();
  const declarations = [...applied.keys()]
    .filter(isDerived)
    .sort()
    .reverse()
    .map(
      (path): Step =>
        () =>
          declare(client, path, () => Promise.resolve()),
    );
  // The engine goes last: it is what ends a declaration.
  const kept = await takeSteps(client, [...declarations, ...objects((path) => !isEngine(path))]);
  const refused = kept.find(({ step }) => declarations.includes(step));
  if (refused) throw refused.failure;
  await takeSteps(client, [...kept.map(({ step }) => step), ...objects(isEngine)]);
  await client.query(`delete from ${scope.bookkeeping}.replaceable`);
}

type Step = () => Promise<void>;

/**
 * Takes the steps that nothing depends on, again and again until no other goes: what is left, and
 * why.
 */
async function takeSteps(
  client: pg.ClientBase,
  steps: Step[],
): Promise<{ step: Step; failure: pg.DatabaseError }[]> {
  for (let left = steps; ; ) {
    const kept: { step: Step; failure: pg.DatabaseError }[] = [];
    for (const step of left) {
      const failure = await attempt(client, step);
      if (failure && !isHeld(failure)) throw failure;
      if (failure) kept.push({ step, failure });
    }
    if (kept.length === left.length) return kept;
    left = kept.map(({ step }) => step);
  }
}

async function readReplaceables(
  directories: ReplaceableDirectories,
  scope: Scope,
): Promise<ReplaceableFile[]> {
  const files: ReplaceableFile[] = [];
  for (const schema of await list(directories.functions)) {
    if (scope.schemas !== null && !scope.schemas.includes(schema)) continue;
    const folder = join(directories.functions, schema);
    for (const name of (await list(folder)).filter((it) => it.endsWith('.sql'))) {
      files.push(await readOne(`functions/${schema}/${name}`, join(folder, name)));
    }
  }
  // Declarations are about tables of the project's own.
  if (scope.schemas !== null) return files;
  for (const name of (await list(directories.derived)).filter((it) => it.endsWith('.sql'))) {
    files.push(await readOne(`derived/${name}`, join(directories.derived, name)));
  }
  return files;
}

async function readOne(path: string, file: string): Promise<ReplaceableFile> {
  const text = await readFile(file, 'utf8');
  const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
  return { path, file, text, checksum };
}

/** Entries of a folder by name, the engine first; none when the folder is missing. */
async function list(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return names.sort((a, b) => {
    if (a === 'millrace') return -1;
    if (b === 'millrace') return 1;
    return a < b ? -1 : 1;
  });
}

function isDerived(path: string): boolean {
  return path.startsWith('derived/');
}

function isEngine(path: string): boolean {
  return path.startsWith('functions/millrace/');
}

async function readApplied(client: pg.ClientBase, scope: Scope): Promise<Map<string, Applied>> {
  const { rows } = await client.query<{ path: string } & Applied>(
    `select path, checksum, objects from ${scope.bookkeeping}.replaceable order by path`,
  );
  return new Map(rows.map(({ path, checksum, objects }) => [path, { checksum, objects }]));
}

async function plan(
  client: pg.ClientBase,
  files: ReplaceableFile[],
  applied: Map<string, Applied>,
  scope: Scope,
): Promise<ReplaceablePlan> {
  const existing = await identities(client, (await catalog(client, scope)).objects);
  const changed = files.filter(({ path, checksum }) => {
    const before = applied.get(path);
    return before?.checksum !== checksum || !before.objects.every((it) => existing.has(it));
  });
  // The engine generates what the declarations stand on, and views define derived relations: when
  // one of these is new, everything is declared again. Without a change that changes nothing.
  const redeclare = changed.some(
    ({ path, text }) => isEngine(path) || /\bcreate\s+(or\s+replace\s+)?view\b/i.test(text),
  );
  const paths = new Set(files.map(({ path }) => path));
  return {
    changed: files
      .filter((file) => changed.includes(file) || (redeclare && isDerived(file.path)))
      .map(({ path }) => path),
    removed: [...applied.keys()].filter((path) => !paths.has(path)),
  };
}

async function apply(
  client: pg.ClientBase,
  files: ReplaceableFile[],
  scope: Scope,
): Promise<ApplyResult> {
  const applied = await readApplied(client, scope);
  const { changed, removed } = await plan(client, files, applied, scope);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const result: ApplyResult = { applied: [], dropped: [] };
  const pending = new Set(changed);
  const applications = new Map<string, number>();
  // The catalogs as the last file left them, while nothing else has changed them.
  let latest: Catalog | null = null;

  for (const path of removed.filter(isDerived)) {
    await withdraw(path);
    await forget(path);
  }
  await applyAll();
  for (const path of removed.filter((it) => !isDerived(it))) {
    const before = applied.get(path)?.objects ?? [];
    await forget(path);
    const elsewhere = new Set([...applied.values()].flatMap(({ objects }) => objects));
    for (const object of before.toReversed()) {
      if (!elsewhere.has(object)) await dropTracked(object, path);
    }
  }
  // Dropping may have taken along what other files made.
  await applyAll();
  return result;

  /**
   * Applies all pending files: functions first, then declarations, which read them, then the
   * functions that read what was declared.
   */
  async function applyAll(): Promise<void> {
    for (;;) {
      const before = pending.size;
      const failures = [
        ...(await applyKind((path) => !isDerived(path))),
        ...(await applyKind(isDerived)),
      ];
      if (failures.length === 0 && pending.size === 0) return;
      if (pending.size === before && failures.length === pending.size) {
        throw failures.length === 1 ? failures[0] : new SqlFilesError(failures);
      }
    }
  }

  /** Applies the pending files of one kind until nothing moves; what was still undefined then. */
  async function applyKind(kind: (path: string) => boolean): Promise<SqlFileError[]> {
    for (;;) {
      const round = [...pending].filter(kind).sort(engineFirst);
      const failures: SqlFileError[] = [];
      for (const path of round) {
        const failure = await applyOne(byPath.get(path) as ReplaceableFile);
        if (!failure) continue;
        if (!UNDEFINED.has(failure.sqlState)) throw failure;
        failures.push(failure);
      }
      if (failures.length === round.length) return failures;
    }
  }

  /** Applies one file; the error when it failed, in which case the file has changed nothing. */
  async function applyOne(file: ReplaceableFile): Promise<SqlFileError | null> {
    const count = (applications.get(file.path) ?? 0) + 1;
    applications.set(file.path, count);
    if (count > MAX_APPLICATIONS + files.length) {
      throw new Error(`${file.path} was applied ${count} times and is still not settled`);
    }
    const before = applied.get(file.path)?.objects ?? [];
    let catalogBefore = latest ?? (await catalog(client, scope));
    latest = null;
    let failure = await attemptFile(client, file);
    if (failure && IRREPLACEABLE.has(failure.sqlState) && before.length > 0) {
      for (const object of before.toReversed()) await dropTracked(object, file.path);
      catalogBefore = await catalog(client, scope);
      // It may lack what was dropped with its old objects: then those files come first.
      failure = await attemptFile(client, file);
    }
    if (failure && isHeld({ code: failure.sqlState }) && isDerived(file.path)) {
      if (await dropReaders(file.path)) {
        catalogBefore = await catalog(client, scope);
        failure = await attemptFile(client, file);
      }
    }
    if (failure) {
      // It has changed nothing.
      latest = catalogBefore;
      return failure;
    }
    const after = await catalog(client, scope, catalogBefore);
    const made = await madeBy(client, file, catalogBefore.objects, after.objects, before);
    pending.delete(file.path);
    if (!result.applied.includes(file.path)) result.applied.push(file.path);
    await record(file, made);
    const stale = isDerived(file.path) ? [] : before.filter((it) => !made.includes(it));
    for (const object of stale.toReversed()) await dropTracked(object, file.path);
    if (stale.length === 0) latest = after;
    return null;
  }

  /**
   * Drops an object that a file made, with everything replaceable that depends on it; the files of
   * the dependents become pending.
   */
  async function dropTracked(object: string, cause: string): Promise<void> {
    const failure = await attempt(client, () => dropObject(client, object));
    if (!failure) {
      if (!result.dropped.includes(object)) result.dropped.push(object);
      return;
    }
    if (!isHeld(failure)) throw failure;
    for (const dependent of await dependents(client, object, scope)) {
      const owner = [...applied].find(([, { objects }]) => objects.includes(dependent))?.[0];
      if (!owner) {
        const file = byPath.get(cause);
        const reason = Object.assign(failure, {
          message: `${object} cannot be dropped: ${dependent} depends on it`,
          hint: `Change ${dependent} in a migration first: no file of functions/ makes it.`,
        });
        if (!file) throw reason;
        throw new SqlFileError(file.file, file.text, { text: '', offset: 0 }, reason);
      }
      if (byPath.has(owner)) pending.add(owner);
      if (isDerived(owner)) {
        await withdraw(owner);
        await setObjects(owner, []);
      } else {
        await dropTracked(dependent, cause);
      }
    }
    await dropTracked(object, cause);
  }

  /** Ends what a derived file declared, after what functions made of it. */
  async function withdraw(path: string): Promise<void> {
    const drop = () => declare(client, path, () => Promise.resolve());
    let failure = await attempt(client, drop);
    if (failure && isHeld(failure) && (await dropReaders(path))) {
      failure = await attempt(client, drop);
    }
    if (failure) throw failure;
  }

  /**
   * Drops what functions made over the relations and functions that a derived file has; their files
   * become pending. False when there is nothing of the kind.
   */
  async function dropReaders(path: string): Promise<boolean> {
    let found = false;
    for (const object of applied.get(path)?.objects ?? []) {
      for (const dependent of await dependents(client, object, scope)) {
        const owner = [...applied].find(
          ([candidate, { objects }]) => !isDerived(candidate) && objects.includes(dependent),
        )?.[0];
        if (owner === undefined) continue;
        if (byPath.has(owner)) pending.add(owner);
        await dropTracked(dependent, path);
        found = true;
      }
    }
    return found;
  }

  async function record(file: ReplaceableFile, objects: string[]): Promise<void> {
    applied.set(file.path, { checksum: file.checksum, objects });
    await client.query(
      `insert into ${scope.bookkeeping}.replaceable (path, checksum, objects)
      values ($1, $2, $3)
      on conflict (path) do update set
        checksum = excluded.checksum, objects = excluded.objects, applied_at = now()`,
      [file.path, file.checksum, objects],
    );
  }

  async function setObjects(path: string, objects: string[]): Promise<void> {
    const before = applied.get(path);
    if (before) before.objects = objects;
    await client.query(`update ${scope.bookkeeping}.replaceable set objects = $2 where path = $1`, [
      path,
      objects,
    ]);
  }

  async function forget(path: string): Promise<void> {
    applied.delete(path);
    await client.query(`delete from ${scope.bookkeeping}.replaceable where path = $1`, [path]);
  }
}

function engineFirst(a: string, b: string): number {
  const rank = (path: string) => (isEngine(path) ? 0 : 1);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

/** Runs a file inside a savepoint: its error, or null when it went through. */
async function attemptFile(
  client: pg.ClientBase,
  file: ReplaceableFile,
): Promise<SqlFileError | null> {
  let running: SqlStatement = { text: file.text, offset: 0 };
  const statements = splitStatements(file.text);
  const failure = await attempt(client, async () => {
    const work = async () => {
      for (const statement of statements) {
        running = statement;
        if (endsTransaction(statement)) {
          throw new Error(`${displayPath(file.file)}: cannot begin or end a transaction`);
        }
        await client.query(statement.text);
      }
    };
    if (isDerived(file.path)) await declare(client, file.path, work);
    else await work();
  });
  return failure && new SqlFileError(file.file, file.text, running, failure);
}

/** Runs `work` inside a savepoint; returns the error of Postgres, if any, and undoes it. */
async function attempt(
  client: pg.ClientBase,
  work: () => Promise<void>,
): Promise<pg.DatabaseError | null> {
  await client.query('savepoint replaceable');
  try {
    await work();
  } catch (error) {
    if (!isDatabaseError(error)) throw error;
    await client.query('rollback to savepoint replaceable');
    await client.query('release savepoint replaceable');
    return error;
  }
  await client.query('release savepoint replaceable');
  return null;
}

/** The engine's brackets around a derived file: what it declared before and no more is dropped. */
async function declare(
  client: pg.ClientBase,
  path: string,
  work: () => Promise<void>,
): Promise<void> {
  const module = path.replace(/^derived\//, '').replace(/\.sql$/, '');
  await client.query('select millrace.declare_start($1)', [module]);
  await work();
  await client.query('select millrace.declare_finish($1)', [module]);
}

/**
 * Everything that a replaceable file of the scope can make, outside the schemas of the system and
 * the queues. Of what is `known` from earlier in the same transaction only the changes are fetched:
 * it is asked again after every file.
 */
async function catalog(
  client: pg.ClientBase,
  scope: Scope,
  known: Catalog | null = null,
): Promise<Catalog> {
  const { rows } = await client.query<{ total: number; written: CatalogRow[] }>({
    // Named: planning takes as long as reading.
    name: 'replaceable_catalog',
    text: `with schema as (
      select oid
      from pg_catalog.pg_namespace
      where nspname !~ '^pg_'
        and nspname not in ('information_schema', 'graphile_worker', 'pgboss', $2)
        and ($1::text[] is null or nspname = any($1))
    ), object as materialized (
      select 'pg_catalog.pg_proc'::regclass as classid, oid as objid, xmin
      from pg_catalog.pg_proc
      where pronamespace in (select oid from schema)
      union all
      select 'pg_catalog.pg_class'::regclass, oid, xmin
      from pg_catalog.pg_class
      where relnamespace in (select oid from schema) and relkind in ('r', 'p', 'v', 'm')
      union all
      select 'pg_catalog.pg_trigger'::regclass, pg_trigger.oid, pg_trigger.xmin
      from pg_catalog.pg_trigger
      join pg_catalog.pg_class on pg_class.oid = tgrelid
      where not tgisinternal and tgparentid = 0 and relnamespace in (select oid from schema)
      union all
      select 'pg_catalog.pg_type'::regclass, pg_type.oid, pg_type.xmin
      from pg_catalog.pg_type
      left join pg_catalog.pg_class on pg_class.oid = typrelid
      where typnamespace in (select oid from schema)
        and (typtype in ('d', 'e', 'r') or (typtype = 'c' and relkind = 'c'))
      union all
      select 'pg_catalog.pg_policy'::regclass, pg_policy.oid, pg_policy.xmin
      from pg_catalog.pg_policy
      join pg_catalog.pg_class on pg_class.oid = polrelid
      where relnamespace in (select oid from schema)
    )
    select
      (select count(*) from object)::integer as total,
      (
        select coalesce(
          jsonb_agg(jsonb_build_array(classid::oid::text, objid::text, xmin::text, age(xmin))), '[]')
        from object
        where ($3::integer is null or age(xmin) < $3) and not exists (
          select
          from pg_catalog.pg_depend
          where pg_depend.classid = object.classid
            and pg_depend.objid = object.objid
            and deptype = 'e'
        )
      ) as written`,
    values: [scope.schemas, scope.bookkeeping, known?.newest ?? null],
  });
  const { total, written } = rows[0]!;
  const objects = new Map(known?.objects);
  let newest = known?.newest ?? 2 ** 31 - 1;
  for (const [classid, objid, version, age] of written) {
    objects.set(`${classid}/${objid}`, { classid, objid, version });
    newest = Math.min(newest, age);
  }
  // Something is gone: changes do not tell what.
  if (known !== null && total - known.total !== objects.size - known.objects.size) {
    return await catalog(client, scope);
  }
  return { objects, total, newest };
}

/** Class, id, version and the version's age. */
type CatalogRow = [classid: string, objid: string, version: string, age: number];

/** Objects by identity: `<type> <qualified name>`, as Postgres writes it. */
async function identities(
  client: pg.ClientBase,
  objects: Map<string, CatalogObject>,
): Promise<Map<string, CatalogObject>> {
  if (objects.size === 0) return new Map();
  const list = [...objects.values()];
  const { rows } = await client.query<{ identity: string; key: string }>({
    name: 'replaceable_identities',
    text: `select identified.type || ' ' || identified.identity as identity, classid || '/' || objid as key
    from unnest($1::oid[], $2::oid[]) as object (classid, objid)
    cross join lateral pg_catalog.pg_identify_object(classid, objid, 0) as identified
    where identified.identity is not null`,
    values: [list.map(({ classid }) => classid), list.map(({ objid }) => objid)],
  });
  return new Map(rows.map(({ identity, key }) => [identity, objects.get(key) as CatalogObject]));
}

/** The identities that a file made, from the catalogs before and after it. */
async function madeBy(
  client: pg.ClientBase,
  file: ReplaceableFile,
  before: Map<string, CatalogObject>,
  after: Map<string, CatalogObject>,
  recorded: string[],
): Promise<string[]> {
  const fresh = [...after].filter(([key]) => !before.has(key));
  const written = [...after].filter(
    ([key, { version }]) => before.has(key) && before.get(key)?.version !== version,
  );
  const made = [...(await identities(client, new Map(fresh))).keys()];
  if (isDerived(file.path)) {
    const existing = await identities(client, after);
    return [...new Set([...recorded.filter((it) => existing.has(it)), ...made])].sort();
  }
  const named = namesCreated(file.text);
  const rewritten = await identities(client, new Map(written));
  // Replacing a view writes its rule, not always its own row: known by its name.
  const views = [...named].some((it) => it.startsWith('view '))
    ? [...(await identities(client, after)).keys()].filter((it) => it.startsWith('view '))
    : [];
  for (const identity of [...rewritten.keys(), ...views]) {
    if (!made.includes(identity) && named.has(objectName(identity))) made.push(identity);
  }
  // In the order of making, so that the reverse is an order of dropping.
  return [
    ...recorded.filter((it) => made.includes(it)),
    ...made.filter((it) => !recorded.includes(it)),
  ];
}

/**
 * The names that the statements of a text create: `kind schema.name`, for a trigger or a policy
 * `kind name on schema.table`.
 */
function namesCreated(text: string): Set<string> {
  const names = new Set<string>();
  const part = '"(?:[^"]|"")+"|[a-z_][\\w$]*';
  const pattern = new RegExp(
    `^create\\s+(?:or\\s+replace\\s+)?(?:constraint\\s+|recursive\\s+)?` +
      `(function|procedure|view|trigger|policy|type|domain|aggregate|materialized\\s+view)\\s+` +
      `(?:if\\s+not\\s+exists\\s+)?(${part})(?:\\s*\\.\\s*(${part}))?`,
    'i',
  );
  for (const statement of splitStatements(text)) {
    const [, kind, first, second] = pattern.exec(statement.text) ?? [];
    if (!kind || !first) continue;
    names.add(`${kind.toLowerCase()} ${plain(second ?? first)}`);
  }
  return names;
}

/** `function app.f(bigint)` → `function f`; `trigger t on app.x` → `trigger t`. */
function objectName(identity: string): string {
  const [, kind = '', rest = ''] = /^(materialized view|[a-z]+) (.*)$/s.exec(identity) ?? [];
  const target = rest.replace(/\(.*$/s, '').replace(/ on .*$/s, '');
  const last = /(?:^|\.)("(?:[^"]|"")+"|[^".]+)$/.exec(target)?.[1] ?? target;
  return `${kind} ${plain(last)}`;
}

function plain(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}

/** Drops an object by its identity, unless it is gone; never with cascade. */
async function dropObject(client: pg.ClientBase, identity: string): Promise<void> {
  const [, kind, rest] = /^(materialized view|[a-z]+) (.*)$/s.exec(identity) ?? [];
  await client.query(`drop ${kind} if exists ${rest} restrict`);
}

/**
 * What keeps an object from being dropped, as identities: its normal dependents and those of its row
 * type. The rule of a view stands for the view.
 */
async function dependents(
  client: pg.ClientBase,
  identity: string,
  scope: Scope,
): Promise<string[]> {
  const object = (await identities(client, (await catalog(client, scope)).objects)).get(identity);
  if (!object) return [];
  const { rows } = await client.query<{ identity: string }>(
    `with recursive target (classid, objid) as (
      select $1::oid, $2::oid
      union
      select pg_depend.classid, pg_depend.objid
      from target
      join pg_catalog.pg_depend
        on pg_depend.refclassid = target.classid and pg_depend.refobjid = target.objid
      where pg_depend.deptype = 'i' and pg_depend.classid = 'pg_catalog.pg_type'::regclass
    ), dependent as (
      select distinct
        case when pg_rewrite.oid is null then pg_depend.classid
          else 'pg_catalog.pg_class'::regclass end as classid,
        coalesce(pg_rewrite.ev_class, pg_depend.objid) as objid
      from target
      join pg_catalog.pg_depend
        on pg_depend.refclassid = target.classid and pg_depend.refobjid = target.objid
      left join pg_catalog.pg_rewrite
        on pg_depend.classid = 'pg_catalog.pg_rewrite'::regclass
        and pg_rewrite.oid = pg_depend.objid
      where pg_depend.deptype = 'n'
    )
    select identified.type || ' ' || identified.identity as identity
    from dependent
    cross join lateral pg_catalog.pg_identify_object(classid, objid, 0) as identified
    where (dependent.classid, dependent.objid) <> ($1::oid, $2::oid)`,
    [object.classid, object.objid],
  );
  return rows.map((row) => row.identity);
}
