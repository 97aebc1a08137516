import type pg from 'pg';
import { type CopyValue, copyRows } from './copy.ts';

/** Rows in one COPY: the triggers of a statement keep its rows in memory until it ends. */
const ROWS_EACH = 20_000;

/** The connection of a load, what it tells of its progress, and the batch that it makes. */
export interface Loader {
  client: pg.ClientBase;
  batch: number;
  onProgress: (step: string, done: number, total: number) => void;
}

/**
 * Copies rows made of `items` into `target` (`table (columns)`), a piece at a time, so that neither
 * side keeps all of them. Returns how many there were. `expected` is for the progress only.
 */
export async function copyItems<T>(
  { client, onProgress }: Loader,
  step: string,
  target: string,
  items: Iterable<T>,
  expected: number,
  row: (item: T, index: number) => readonly CopyValue[],
): Promise<number> {
  let count = 0;
  onProgress(step, 0, expected);
  const iterator = items[Symbol.iterator]();
  let next = iterator.next();
  while (!next.done) {
    await copyRows(client, target, piece());
    onProgress(step, count, Math.max(expected, count));
  }
  return count;

  function* piece(): Generator<readonly CopyValue[]> {
    for (let size = 0; size < ROWS_EACH && !next.done; size += 1) {
      yield row(next.value, count);
      count += 1;
      next = iterator.next();
    }
  }
}

/**
 * New ids of a table, one after the other without a gap: the id of the first item. What other
 * sessions take meanwhile makes a gap, and then more are taken.
 */
export async function takeIds(
  client: pg.ClientBase,
  table: string,
  count: number,
): Promise<(index: number) => number> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const { rows } = await client.query<{ first: string; last: string }>(
      `select min(id) as first, max(id) as last
      from (
        select nextval(pg_get_serial_sequence($1, 'id')) as id from generate_series(1, $2::bigint)
      ) taken`,
      [table, Math.max(1, count)],
    );
    const { first, last } = rows[0] as { first: string; last: string };
    const start = Number(first);
    if (Number(last) - start + 1 === Math.max(1, count)) return (index) => start + index;
  }
  throw new Error(`no ${count} ids of ${table} in a row: is somebody loading into it?`);
}

/** A moment as COPY takes it. */
export const time = (at: number | null): Date | null => (at === null ? null : new Date(at));

/** A text array as COPY takes it. */
export function textArray(values: readonly string[]): string {
  return `{${values.map((it) => `"${it.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
