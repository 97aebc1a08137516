import { join } from 'node:path';
import pg from 'pg';
import { ROOT } from './config.ts';
import { readEngineTasks, schedulesOf } from './engine-tasks.ts';
import { InstallError } from './install-error.ts';
import {
  applyMigrations,
  DIRECTORIES,
  installQueue,
  type MigrationDirectories,
  MigrationError,
  retryLocked,
  scopeStatus,
  undoMigrations,
  withMigrationLock,
} from './migrations.ts';
import { applyReplaceables } from './replaceables.ts';
import { ENGINE, PROJECT } from './scope.ts';
import { isDatabaseError } from './sql-error.ts';

const { escapeIdentifier, escapeLiteral } = pg;

/*
 * The engine alone, in a database that this project did not make: its schemas, a record of what was
 * applied, and graphile-worker's schema. They belong to whoever installs; no role is made, nothing
 * in any other schema is touched. Installing takes no lock on a table of the database; what is
 * declared afterwards puts triggers on tables, which uninstalling takes away again.
 *
 * The first installation closes what it made to everybody else: a database may hand out rights on
 * everything new by default, and the logs hold copies of rows.
 */

/** The oldest Postgres that the engine works on, as `server_version_num`. */
const OLDEST = 150_000;

/** The schema revision that this version of graphile-worker works with. */
const QUEUE_REVISION = 20;

export interface EngineOptions {
  /** Directories other than the checkout's: for tests. */
  directories?: Partial<MigrationDirectories>;
  /** Say what would be done, and do nothing. */
  dryRun?: boolean;
}

export interface InstallResult {
  dryRun: boolean;
  /** The role that the engine belongs to. */
  owner: string;
  /** Migrations that were run. */
  migrations: string[];
  /** Files of functions/ that were applied. */
  applied: string[];
  /** Objects of an older version that were dropped. */
  dropped: string[];
  /** Derivations that were declared again, for their generated objects. */
  declared: string[];
  /** Whether graphile-worker's schema was made, was there, or is one that others use too. */
  queue: 'made' | 'present' | 'shared';
}

export interface UninstallOptions extends EngineOptions {
  /** Leave the tables and materialized views that the engine made, as ordinary ones. */
  keepRelations?: boolean;
}

export interface UninstallResult {
  dryRun: boolean;
  /** False when there was no engine. */
  installed: boolean;
  /** Derivations that were dropped. */
  derivations: string[];
  /** Schemas that were dropped. */
  schemas: string[];
  /** What stays, each with the reason. */
  left: string[];
}

/** A database as it is found. */
interface Found {
  login: string;
  version: number;
  database: string;
  mayCreate: boolean;
  /** Owners of the schemas that are there, by name of the schema. */
  schemas: Record<string, string>;
  /** Whether the bookkeeping schema holds the tables of one. */
  recorded: boolean;
  /** The same of the project's own, which `npm run migrate` makes. */
  project: boolean;
}

/**
 * Puts the engine into a database, or brings it up to date there; a no-op where it is.
 *
 * @throws InstallError when the database cannot have it; MigrationError, SqlFileError,
 * SqlFilesError as migrateUp.
 */
export async function installEngine(
  connectionString: string,
  options: EngineOptions = {},
): Promise<InstallResult> {
  const directories = { ...DIRECTORIES, ...options.directories };
  return await withMigrationLock(connectionString, async (client) => {
    const found = await look(client);
    const owner = ownerToBe(found);
    await become(client, owner);
    await checkRecord(client, found);
    const queue = await checkQueue(client, found, owner);
    if (options.dryRun) {
      const status = await scopeStatus(client, directories, ENGINE);
      if (status.problems.length > 0) throw new MigrationError(status.problems);
      const { pending: migrations, replaceables } = status;
      const { changed: applied, removed: dropped } = replaceables;
      return { dryRun: true, owner, migrations, applied, dropped, declared: [], queue };
    }
    const migrations = await applyMigrations(client, directories, ENGINE);
    await recordInstallation(client, queue === 'made');
    if (queue !== 'shared') await installQueue(connectionString, owner);
    let declared: string[] = [];
    const { applied, dropped } = await retryLocked(() =>
      applyReplaceables(client, directories, ENGINE, async (result) => {
        if (result.applied.length + result.dropped.length === 0) return;
        // Of a new function everybody may execute it: nobody else has use for these.
        await client.query('revoke execute on all routines in schema millrace from public');
        declared = await declareAgain(client, found.login, owner);
        // A tick asks it also while nothing is declared.
        await client.query('select millrace.refresh_pending_logs()');
      }),
    );
    return { dryRun: false, owner, migrations, applied, dropped, declared, queue };
  });
}

/**
 * Takes the engine out of a database: every derivation, its schemas, its record, and graphile-worker's
 * schema if it came with the engine and nobody else uses it. Target columns keep their last values;
 * relations that the engine made go, unless they are to be kept. Each derivation is dropped in a
 * transaction of its own, so that no table is locked for longer than a moment.
 *
 * @throws InstallError when something else depends on the engine, or a host is running.
 */
export async function uninstallEngine(
  connectionString: string,
  options: UninstallOptions = {},
): Promise<UninstallResult> {
  const directories = { ...DIRECTORIES, ...options.directories };
  return await withMigrationLock(connectionString, async (client) => {
    const found = await look(client);
    const { dryRun = false } = options;
    if (!found.recorded) {
      refuseForeign(found);
      return { dryRun, installed: false, derivations: [], schemas: [], left: [] };
    }
    const owner = ownerToBe(found);
    await checkHosts(client);
    // Whose tables they are decides who may drop what stands on them: the login's own rights, then.
    const { rows } = await client.query<{ inherits: boolean }>(
      `select pg_catalog.pg_has_role($1, 'usage') as inherits`,
      [owner],
    );
    if (!rows[0]?.inherits) await become(client, owner);
    await checkRecord(client, found);
    const derivations = await readDerivations(client);
    const { keepRelations = false } = options;
    await checkDependents(client, keepRelations);
    const queue = await queueAfter(client, found, derivations);
    const schemas = ['millrace', 'millrace_log'].filter((name) => name in found.schemas);
    schemas.push(ENGINE.bookkeeping, ...(queue.dropped ? ['graphile_worker'] : []));
    const names = derivations.map(({ name }) => name);
    const left = [
      ...derivations.flatMap(({ name, kind }) => {
        if (kind === 'counter') return [`column ${name}, with its last values`];
        return kind === 'materialize' && keepRelations ? [`relation ${name}, as it is`] : [];
      }),
      ...(queue.left ? [queue.left] : []),
    ];
    if (!dryRun) {
      await dropDerivations(client, names, keepRelations);
      await checkDependents(client, keepRelations);
      await undoMigrations(client, directories, ENGINE);
      await client.query(queue.statement);
      await client.query(`drop schema ${ENGINE.bookkeeping} cascade`);
    }
    return { dryRun, installed: true, derivations: names, schemas, left };
  });
}

async function look(client: pg.Client): Promise<Found> {
  const { rows } = await client.query<Found>(
    `select
      current_user::text as login,
      current_setting('server_version_num')::integer as version,
      current_database()::text as database,
      pg_catalog.has_database_privilege(current_database(), 'create') as "mayCreate",
      coalesce((
        select pg_catalog.jsonb_object_agg(nspname, pg_catalog.pg_get_userbyid(nspowner))
        from pg_catalog.pg_namespace
        where nspname in ('millrace', 'millrace_log', 'graphile_worker', $1)
      ), '{}') as schemas,
      $1 = any(record.schemas) as recorded,
      $2 = any(record.schemas) as project
    from (
      -- by the catalog: who has no right on a schema may not even ask for a name in it
      select coalesce(pg_catalog.array_agg(nspname), '{}') as schemas
      from pg_catalog.pg_class
      join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
      where relname = 'replaceable' and nspname in ($1, $2)
    ) as record`,
    [ENGINE.bookkeeping, PROJECT.bookkeeping],
  );
  return rows[0] as Found;
}

/** Whom the engine belongs to, or will, if this database can have it. */
function ownerToBe(found: Found): string {
  if (found.recorded) return found.schemas[ENGINE.bookkeeping] as string;
  if (found.version < OLDEST) {
    throw new InstallError('MR052', 'The engine needs Postgres 15 or newer', {
      detail: `server_version_num is ${found.version}.`,
      hint: 'Upgrade the server.',
    });
  }
  refuseForeign(found);
  if (!found.mayCreate) {
    throw new InstallError('MR051', `${found.login} may not create schemas in this database`, {
      detail: 'The engine makes the schemas millrace, millrace_log and millrace_migration.',
      hint:
        `As the owner of the database: grant create on database ` +
        `${escapeIdentifier(found.database)} to ${escapeIdentifier(found.login)};`,
    });
  }
  return found.login;
}

/** Schemas of the engine's names that this command has not made. */
function refuseForeign(found: Found): void {
  if (found.project && 'millrace' in found.schemas) {
    throw new InstallError('MR054', 'npm run migrate keeps this database, with its engine', {
      detail: `Schema ${PROJECT.bookkeeping} records what it did.`,
      hint: 'npm run migrate -- up brings its engine up to date.',
    });
  }
  const name = ['millrace', 'millrace_log', ENGINE.bookkeeping].find((it) => it in found.schemas);
  if (name === undefined) return;
  throw new InstallError('MR050', `There is a schema ${name} that is not this engine's`, {
    detail: `It belongs to ${found.schemas[name]}; npm run install-engine has not made it.`,
    hint: 'Rename or drop that schema, or use another database.',
  });
}

/** A record without the engine, beside schemas of its names: somebody made them in between. */
async function checkRecord(client: pg.Client, found: Found): Promise<void> {
  if (!found.recorded || !('millrace' in found.schemas)) return;
  const { rows } = await client.query(
    `select from ${ENGINE.bookkeeping}.migration where name = '0001_millrace'`,
  );
  if (rows.length === 0) refuseForeign(found);
}

async function become(client: pg.Client, owner: string): Promise<void> {
  try {
    await client.query(`set role ${escapeIdentifier(owner)}`);
  } catch (error) {
    if (!isDatabaseError(error) || error.code !== '42501') throw error;
    throw new InstallError('MR053', `The engine of this database belongs to ${owner}`, {
      detail: error.message,
      hint: `Connect as ${owner}, or as a member of it.`,
    });
  }
}

/**
 * Notes that the engine is installed and whether graphile-worker's schema comes with it, and closes
 * all of its schemas to others, who may have got rights on them by default privileges: once, in one
 * transaction. What somebody grants later stays.
 */
async function recordInstallation(client: pg.Client, makesQueue: boolean): Promise<void> {
  const table = `${ENGINE.bookkeeping}.installation`;
  const { rows } = await client.query<{ present: boolean }>(
    'select to_regclass($1) is not null as present',
    [table],
  );
  if (rows[0]?.present) return;
  await client.query('begin');
  await client.query(`create table ${table} (
    makes_queue boolean not null,
    installed_at timestamptz not null default pg_catalog.now(),
    installed_by name not null default session_user
  )`);
  await client.query(`comment on table ${table} is
    'Who installed the engine, and whether the schema graphile_worker was made for it.'`);
  await client.query(`insert into ${table} (makes_queue) values ($1)`, [makesQueue]);
  if (makesQueue) await client.query('create schema graphile_worker');
  const schemas = ['millrace', 'millrace_log', ENGINE.bookkeeping, 'graphile_worker'];
  const granted = await client.query<{ statement: string }>(
    `select distinct pg_catalog.format('revoke all on schema %I from %s', nspname,
      case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end)
      as statement
    from pg_catalog.pg_namespace
    cross join lateral pg_catalog.aclexplode(nspacl)
    where nspname = any($1) and grantee <> nspowner`,
    [makesQueue ? schemas : schemas.slice(0, -1)],
  );
  for (const { statement } of granted.rows) await client.query(statement);
  await client.query('commit');
}

/**
 * Whether graphile-worker's schema is to be made, is the engine's already, or belongs to an
 * application that uses it too. One that is there is left as it is: another version of
 * graphile-worker may be running on it.
 */
async function checkQueue(
  client: pg.Client,
  found: Found,
  owner: string,
): Promise<InstallResult['queue']> {
  const queueOwner = found.schemas.graphile_worker;
  const makesQueue = await readMakesQueue(client);
  if (makesQueue === true) return 'present';
  if (queueOwner === undefined) return 'made';
  const refuse = (detail: string, hint: string) =>
    new InstallError('MR055', 'The schema graphile_worker of this database cannot be used', {
      detail,
      hint,
    });
  const { rows: rights } = await client.query<{ has: boolean }>(
    `select pg_catalog.pg_has_role($1, 'usage') as has`,
    [queueOwner],
  );
  if (!rights[0]?.has) {
    throw refuse(
      `It belongs to ${queueOwner}, and ${owner} is no member of that role.`,
      `grant ${escapeIdentifier(queueOwner)} to ${escapeIdentifier(owner)};`,
    );
  }
  const { rows } = await client.query<{ revision: number; breaks: number | null }>(
    `select max(id) as revision, max(id) filter (where breaking) as breaks
    from graphile_worker.migrations`,
  );
  const { revision = 0, breaks = null } = rows[0] ?? {};
  if (revision < QUEUE_REVISION || (breaks ?? 0) > QUEUE_REVISION) {
    throw refuse(
      `Its revision is ${revision}; the engine's host works with ${QUEUE_REVISION}.`,
      'Let the application that it belongs to use the same version of graphile-worker.',
    );
  }
  if (makesQueue === null) {
    const { taskList, crontab } = await readEngineTasks(join(ROOT, 'tasks'));
    const { rows: tasks } = await client.query<{ identifier: string }>(
      `select identifier from graphile_worker._private_tasks where identifier = any($1)
      union select identifier from graphile_worker._private_known_crontabs where identifier = any($2)
      order by identifier`,
      [Object.keys(taskList), schedulesOf(crontab)],
    );
    if (tasks.length > 0) {
      throw refuse(
        `It has tasks called ${tasks.map(({ identifier }) => identifier).join(', ')}.`,
        'The engine has tasks of these names: call the others differently.',
      );
    }
  }
  return 'shared';
}

/** Whether the schema graphile_worker came with the engine; null before the engine is installed. */
async function readMakesQueue(client: pg.Client): Promise<boolean | null> {
  const { rows: table } = await client.query<{ present: boolean }>(
    'select to_regclass($1) is not null as present',
    [`${ENGINE.bookkeeping}.installation`],
  );
  if (!table[0]?.present) return null;
  const { rows } = await client.query<{ makes: boolean }>(
    `select makes_queue as makes from ${ENGINE.bookkeeping}.installation`,
  );
  return rows[0]?.makes ?? null;
}

/**
 * Declares everything again, as it was: a new engine may generate other objects. It is done with the
 * rights of the login, who may own tables that the engine's owner does not.
 */
async function declareAgain(client: pg.Client, login: string, owner: string): Promise<string[]> {
  await client.query(`set local role ${escapeIdentifier(login)}`);
  const { rows } = await client.query<{ name: string }>('select millrace.redeclare() as name');
  await client.query(`set local role ${escapeIdentifier(owner)}`);
  return rows.map(({ name }) => name);
}

interface Derivation {
  name: string;
  kind: 'counter' | 'materialize' | 'react';
  /** The task of a reaction. */
  task: string | null;
}

/** What is declared, the last first: what reads another derivation was declared after it. */
async function readDerivations(client: pg.Client): Promise<Derivation[]> {
  if (!(await isComplete(client))) return [];
  const { rows } = await client.query<Derivation>(
    'select name, kind, task from millrace.derivation order by id desc',
  );
  return rows;
}

/** Whether the engine's tables and functions are there: an installation may have failed half-way. */
async function isComplete(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ complete: boolean }>(
    `select exists (
      select from ${ENGINE.bookkeeping}.replaceable where path = 'functions/millrace/drop.sql'
    ) as complete`,
  );
  return rows[0]?.complete === true;
}

/** Drops derivations, each in a transaction of its own; what others read after those. */
async function dropDerivations(
  client: pg.Client,
  names: string[],
  keepRelations: boolean,
): Promise<void> {
  for (let left = names; left.length > 0; ) {
    const read: string[] = [];
    let refusal: unknown;
    for (const name of left) {
      try {
        await retryLocked(() =>
          client.query('select millrace.drop($1, keep_relation => $2)', [name, keepRelations]),
        );
      } catch (error) {
        // MR031, or dependent_objects_still_exist
        if (!isDatabaseError(error) || !['MR031', '2BP01'].includes(error.code ?? '')) throw error;
        refusal = error;
        read.push(name);
      }
    }
    if (read.length === left.length) throw refusal;
    left = read;
  }
}

/** A running host would make graphile-worker's schema again, and fail at everything else. */
async function checkHosts(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string; pid: number }>(
    `select application_name as name, pid
    from pg_catalog.pg_stat_activity
    where datname = current_database() and application_name in ('millrace worker', 'millrace ticker')
    order by pid`,
  );
  if (rows.length === 0) return;
  throw new InstallError('MR058', 'A host of the engine is connected to this database', {
    detail: rows.map(({ name, pid }) => `${name} (backend ${pid})`).join(', '),
    hint: 'Stop npm run worker, and what else ticks, first.',
  });
}

/** What others have built on the engine's objects would go with them, without a word. */
async function checkDependents(client: pg.Client, keepRelations: boolean): Promise<void> {
  const relations = (await isComplete(client))
    ? `select case when $1 then null else target::oid end as own from millrace.derivation
      where kind = 'materialize'
      union all
      select to_regclass((millrace.relation_names(name)).live)::oid from millrace.derivation
      where kind = 'materialize'`
    : 'select null::oid as own where $1';
  const { rows } = await client.query<{ own: string | null }>(relations, [keepRelations]);
  const own = rows.flatMap((row) => row.own ?? []);
  const found = await dependents(client, ['millrace', 'millrace_log'], own);
  if (found.length === 0) return;
  throw new InstallError('MR056', 'Other objects depend on the engine', {
    detail: found.map(({ object, on }) => `${object} uses ${on}`).join('; '),
    hint: 'Drop or change them first; use the columns instead of the exact functions.',
  });
}

/**
 * What depends on the objects of some schemas, on some relations, and on the exact functions that
 * call into the schemas, without being one of them. The engine's own triggers on tables, which go
 * with the derivations, are not meant.
 */
async function dependents(
  client: pg.Client,
  schemas: string[],
  relations: string[] = [],
): Promise<{ object: string; on: string }[]> {
  const { rows } = await client.query<{ object: string; on: string }>(
    `with recursive own (classid, objid) as (
      select 'pg_catalog.pg_namespace'::regclass::oid, oid
      from pg_catalog.pg_namespace
      where nspname = any($1)
      union
      select 'pg_catalog.pg_class'::regclass::oid, relation
      from unnest($2::oid[]) as relation
      union
      select 'pg_catalog.pg_proc'::regclass::oid, pg_proc.oid
      from pg_catalog.pg_proc
      join pg_catalog.pg_namespace on pg_namespace.oid = pronamespace
      where nspname <> all($1) and nspname !~ '^pg_' and prosecdef
        and 'millrace' = any($1) and prosrc ~ 'millrace_log\\.'
      union
      select pg_depend.classid, pg_depend.objid
      from own
      join pg_catalog.pg_depend on (refclassid, refobjid) = (own.classid, own.objid)
      where pg_depend.deptype in ('i', 'a')
        or refclassid = 'pg_catalog.pg_namespace'::regclass
        or pg_depend.classid = 'pg_catalog.pg_rewrite'::regclass and exists (
          select
          from pg_catalog.pg_rewrite
          join pg_catalog.pg_class on pg_class.oid = ev_class
          join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
          where pg_rewrite.oid = pg_depend.objid
            and (nspname = any($1) or ev_class = any($2::oid[]))
        )
    )
    select distinct
      pg_catalog.pg_describe_object(
        case when ev_class is null then pg_depend.classid
          else 'pg_catalog.pg_class'::regclass end,
        coalesce(ev_class, pg_depend.objid), 0) as object,
      pg_catalog.pg_describe_object(refclassid, refobjid, 0) as on
    from own
    join pg_catalog.pg_depend on (refclassid, refobjid) = (own.classid, own.objid)
    left join pg_catalog.pg_rewrite on pg_rewrite.oid = pg_depend.objid
      and pg_depend.classid = 'pg_catalog.pg_rewrite'::regclass
    where pg_depend.deptype = 'n'
      and (pg_depend.classid, pg_depend.objid) not in (select classid, objid from own)
      and pg_depend.classid <> 'pg_catalog.pg_trigger'::regclass
    order by object, "on"`,
    [schemas, relations],
  );
  return rows;
}

/**
 * What becomes of graphile-worker's schema: it goes when it came with the engine and has no task,
 * schedule or dependent object but those of the engine and of its reactions. Otherwise the engine's
 * own jobs go.
 */
async function queueAfter(
  client: pg.Client,
  found: Found,
  derivations: Derivation[],
): Promise<{ dropped: boolean; left: string | null; statement: string }> {
  if (!('graphile_worker' in found.schemas)) return { dropped: false, left: null, statement: '' };
  const { taskList, crontab } = await readEngineTasks(join(ROOT, 'tasks'));
  const engine = Object.keys(taskList);
  const own = [...engine, ...derivations.flatMap(({ task }) => task ?? [])];
  const schedules = schedulesOf(crontab);
  const { rows } = await client.query<{ identifier: string }>(
    `select identifier from graphile_worker._private_tasks where identifier <> all($1)
    union
    select identifier from graphile_worker._private_known_crontabs where identifier <> all($2)
    order by identifier`,
    [own, schedules],
  );
  const others = [
    ...rows.map(({ identifier }) => `task ${identifier}`),
    ...(await dependents(client, ['graphile_worker'])).map(({ object }) => object),
  ];
  const mine = (await readMakesQueue(client)) === true;
  if (mine && others.length === 0) {
    return { dropped: true, left: null, statement: 'drop schema graphile_worker cascade' };
  }
  const list = (values: string[]) => values.map(escapeLiteral).join(', ');
  return {
    dropped: false,
    left: `schema graphile_worker: ${
      mine ? `others use it (${others.join(', ')})` : 'it was there before the engine'
    }`,
    statement: `
      delete from graphile_worker._private_jobs
      where task_id in (
        select id from graphile_worker._private_tasks where identifier in (${list(engine)})
      );
      delete from graphile_worker._private_tasks where identifier in (${list(engine)});
      delete from graphile_worker._private_known_crontabs
      where identifier in (${list(schedules)})`,
  };
}
