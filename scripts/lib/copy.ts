/*
 * COPY from rows of JavaScript values, in Postgres's text format.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { from } from 'pg-copy-streams';

/** What a column can be given: arrays and objects have to be written as text by the caller. */
export type CopyValue = string | number | bigint | boolean | Date | null;

/** Characters gathered before they are sent. */
const PIECE = 64 * 1024;

/**
 * Copies `rows` into `target`, a table with its column list as in `copy <target> from stdin`.
 * `onRows` is told now and then how many rows were written so far. Returns the number of rows.
 *
 * When `rows` throws, the COPY fails and with it the caller's transaction; that error is thrown.
 */
export async function copyRows(
  client: ClientBase,
  target: string,
  rows: Iterable<readonly CopyValue[]> | AsyncIterable<readonly CopyValue[]>,
  onRows?: (rows: number) => void,
): Promise<number> {
  let count = 0;
  async function* pieces(): AsyncGenerator<string> {
    let piece = '';
    const flush = () => {
      const full = piece;
      piece = '';
      onRows?.(count);
      return full;
    };
    // Sync rows are walked without a promise for each.
    if (Symbol.iterator in rows) {
      for (const row of rows) {
        piece += copyLine(row);
        count += 1;
        if (piece.length >= PIECE) yield flush();
      }
    } else {
      for await (const row of rows) {
        piece += copyLine(row);
        count += 1;
        if (piece.length >= PIECE) yield flush();
      }
    }
    if (piece !== '') yield flush();
  }
  const stream = client.query(from(`copy ${target} from stdin`));
  await pipeline(Readable.from(pieces(), { objectMode: true, highWaterMark: 2 }), stream);
  onRows?.(count);
  return count;
}

const ESCAPES: Record<string, string> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** One line of COPY's text format. */
export function copyLine(row: readonly CopyValue[]): string {
  let line = '';
  for (let i = 0; i < row.length; i += 1) {
    const value = row[i] as CopyValue;
    if (i > 0) line += '\t';
    if (value === null) line += '\\N';
    else if (typeof value === 'string') {
      line += /[\\\n\r\t]/.test(value)
        ? value.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] as string)
        : value;
    } else if (value instanceof Date) line += value.toISOString();
    else line += String(value);
  }
  return `${line}\n`;
}
