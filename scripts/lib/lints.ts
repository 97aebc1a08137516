import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type pg from 'pg';
import { ROOT } from './config.ts';
import { displayPath, isDatabaseError, SqlFileError } from './sql-error.ts';
import { splitStatements } from './sql-statements.ts';

/** The schemas that this project makes: what the lints look at and the snapshot shows. */
export const PROJECT_SCHEMAS = [
  'millrace',
  'millrace_log',
  'app_public',
  'app_hidden',
  'app_private',
  'app_operator',
] as const;

/** A fault found by a lint: of the catalog (`object`) or of a file's text (`file:line`). */
export interface Fault {
  lint: string;
  object: string;
  problem: string;
}

/**
 * Runs every lint of a folder (one SELECT a file; each row, with the columns `object` and `problem`,
 * is a fault) on a migrated database. The lints find the project's schemas in
 * `pg_temp.project_schema`, a view that this makes on the given connection.
 */
export async function runLints(
  client: pg.ClientBase,
  folder: string = join(ROOT, 'db/lints'),
): Promise<Fault[]> {
  await client.query(`create or replace temporary view project_schema as
    select oid, nspname
    from pg_catalog.pg_namespace
    where nspname in (${PROJECT_SCHEMAS.map((name) => `'${name}'`).join(', ')})`);
  const faults: Fault[] = [];
  for (const name of (await readdir(folder)).filter((it) => it.endsWith('.sql')).sort()) {
    const file = join(folder, name);
    const text = await readFile(file, 'utf8');
    const statements = splitStatements(text);
    const statement = statements[0];
    if (!statement || statements.length > 1) throw new Error(`${file}: a lint is one SELECT`);
    const { rows } = await client
      .query<{ object: string; problem: string }>(statement.text)
      .catch((error: unknown) => {
        throw isDatabaseError(error) ? new SqlFileError(file, text, statement, error) : error;
      });
    for (const { object, problem } of rows) {
      faults.push({ lint: basename(name, '.sql'), object, problem });
    }
  }
  return faults.sort((a, b) => compare(a.lint, b.lint) || compare(a.object, b.object));
}

/**
 * Rules about the text of SQL files: at most 100 columns, no tabs, no trailing blanks, no notes of
 * unfinished work, no `when others`; a file below functions/ makes the object that it is named after.
 */
export async function lintFiles(root: string = ROOT): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const folder of ['db', 'functions', 'tasks']) {
    const names = await readdir(join(root, folder), { recursive: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      },
    );
    for (const name of names.filter((it) => it.endsWith('.sql')).sort()) {
      const path = join(root, folder, name);
      if (name.startsWith('snapshot')) continue;
      faults.push(...lintText(displayPath(path), await readFile(path, 'utf8')));
    }
  }
  return faults;
}

const LINE_RULES: { lint: string; pattern: RegExp; problem: string }[] = [
  { lint: 'line_length', pattern: /^.{101}/u, problem: 'longer than 100 columns' },
  { lint: 'blank', pattern: /\t|[^\S\n]$/, problem: 'a tab or a trailing blank' },
  { lint: 'unfinished', pattern: /\b(TODO|FIXME|XXX)\b/, problem: 'a note of unfinished work' },
  { lint: 'when_others', pattern: /^[^-]*\bwhen\s+others\b/i, problem: 'catches every error' },
];

/** The faults of one SQL file's text; `path` is relative to the checkout. */
export function lintText(path: string, text: string): Fault[] {
  const faults: Fault[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const { lint, pattern, problem } of LINE_RULES) {
      if (path.startsWith('db/lints/') && lint === 'when_others') continue;
      if (pattern.test(line)) faults.push({ lint, object: `${path}:${index + 1}`, problem });
    }
  }
  const [, schema, object] = /^functions\/([^/]+)\/([^/]+)\.sql$/.exec(path) ?? [];
  if (schema && object) {
    const creates = splitStatements(text).some((statement) =>
      new RegExp(`^create\\s+(or\\s+replace\\s+)?(\\w+\\s+)+?${schema}\\.${object}\\b`, 'i').test(
        statement.text,
      ),
    );
    if (!creates) {
      faults.push({
        lint: 'file_name',
        object: path,
        problem: `does not create ${schema}.${object}: a file is named after its object`,
      });
    }
  }
  return faults;
}

/**
 * What squawk finds in migrations that were on servers before it was asked, and that therefore stay
 * as they are. All of it is about tables of the engine with some dozen rows, or tables that no
 * application had yet.
 */
const KNOWN: Record<string, string[]> = {
  'db/migrations/0005_millrace_relations.up.sql': [
    'adding-not-nullable-field',
    'ban-drop-not-null',
    'constraint-missing-not-valid',
    'require-concurrent-index-creation',
  ],
  'db/migrations/0008_discovery.up.sql': ['constraint-missing-not-valid'],
};

/**
 * What squawk has to say about migrations (`.squawk.toml` has its rules): statements that lock a
 * table in use for long, or that cannot be taken back.
 *
 * @param paths files; default: all migrations up.
 */
export async function lintMigrations(paths?: string[], root: string = ROOT): Promise<Fault[]> {
  const folder = 'db/migrations';
  const files =
    paths ??
    (await readdir(join(root, folder)))
      .filter((name) => name.endsWith('.up.sql'))
      .sort()
      .map((name) => join(folder, name));
  if (files.length === 0) return [];
  const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
    execFile(
      join(ROOT, 'node_modules/.bin/squawk'),
      ['--config', join(ROOT, '.squawk.toml'), '--reporter', 'json', ...files],
      { cwd: root, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        // It ends with 1 when it has found something.
        if (error && !stdout.trimStart().startsWith('[')) {
          reject(new Error(`squawk failed: ${stderr || error.message}`, { cause: error }));
        } else resolve({ stdout });
      },
    );
  });
  const found = JSON.parse(stdout) as {
    file: string;
    line: number;
    message: string;
    rule_name: string;
  }[];
  return found
    .filter(({ file, rule_name: rule }) => !KNOWN[file]?.includes(rule))
    .map(({ file, line, message, rule_name: rule }) => ({
      lint: rule,
      object: `${displayPath(join(root, file))}:${line + 1}`,
      problem: message,
    }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
