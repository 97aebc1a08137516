import { relative } from 'node:path';
import type { DatabaseError } from 'pg';
import { ROOT } from './config.ts';
import type { SqlStatement } from './sql-statements.ts';

/** An error of Postgres in a file: where, with everything that Postgres says about it. */
export class SqlFileError extends Error {
  override name = 'SqlFileError';
  /** Path as given to the person: relative to the checkout where it lies in it. */
  readonly file: string;
  /** Line and column of the error, from 1; the start of the statement when Postgres names none. */
  readonly line: number;
  readonly column: number;
  readonly sqlState: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** The call stack inside the database. */
  readonly where: string | undefined;
  /** The source line that the error points at. */
  readonly source: string;

  constructor(file: string, text: string, statement: SqlStatement, cause: DatabaseError) {
    super(cause.message, { cause });
    const offset = locate(text, statement, cause);
    const before = text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    const lineEnd = text.indexOf('\n', offset);
    this.file = displayPath(file);
    this.line = before.split('\n').length;
    this.column = offset - lineStart + 1;
    this.source = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
    this.sqlState = cause.code ?? 'XX000';
    this.detail = cause.detail;
    this.hint = cause.hint;
    this.where = cause.where;
  }

  /** `file:line:column: SQLSTATE: message`, the source line with a caret, detail, hint and stack. */
  format(): string {
    const indent = this.source.slice(0, this.column - 1).replace(/[^\t]/g, ' ');
    const rows = [
      `${this.file}:${this.line}:${this.column}: ${this.sqlState}: ${this.message}`,
      `    ${this.source}`,
      `    ${indent}^`,
    ];
    if (this.detail) rows.push(`  detail: ${this.detail}`);
    if (this.hint) rows.push(`  hint: ${this.hint}`);
    if (this.where) rows.push(`  where: ${this.where.replaceAll('\n', '\n         ')}`);
    return rows.join('\n');
  }

  toJSON(): Record<string, unknown> {
    const { file, line, column, sqlState, message, detail, hint, where } = this;
    return { file, line, column, sqlState, message, detail, hint, where };
  }
}

/** Several files failed (each depends on something that is missing); all are reported. */
export class SqlFilesError extends Error {
  override name = 'SqlFilesError';
  readonly errors: SqlFileError[];

  constructor(errors: SqlFileError[]) {
    super(errors.map((error) => error.format()).join('\n\n'));
    this.errors = errors;
  }
}

/** A path for messages: relative to the checkout where it lies in it. */
export function displayPath(file: string): string {
  const path = relative(ROOT, file);
  return path.startsWith('..') ? file : path;
}

/** Whether the value is an error that Postgres reported (as opposed to a broken connection). */
export function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && 'severity' in error && 'code' in error;
}

/**
 * The offset in the file that the error belongs to:
 * - `position` counts characters in the statement that was sent (syntax errors in the body of a
 *   function included: Postgres carries those over to the `create function` statement);
 * - an error at run time inside an anonymous block names the line of the block;
 * - otherwise the statement as a whole.
 */
function locate(text: string, statement: SqlStatement, error: DatabaseError): number {
  const position = Number(error.position);
  if (position >= 1) return statement.offset + codeUnits(statement.text, position - 1);
  const line = error.where?.match(/PL\/pgSQL function inline_code_block line (\d+)/)?.[1];
  const body = statement.text.match(/^\s*do\b[^$]*\$(\w*)\$/i);
  if (line && body) {
    let offset = statement.offset + body[0].length;
    for (let n = 1; n < Number(line); n += 1) offset = text.indexOf('\n', offset) + 1;
    const indent = text.slice(offset).match(/^[^\S\n]*/)?.[0].length ?? 0;
    return offset + indent;
  }
  return statement.offset;
}

/** Postgres counts characters, JavaScript UTF-16 units. */
function codeUnits(text: string, characters: number): number {
  return Array.from(text).slice(0, characters).join('').length;
}
