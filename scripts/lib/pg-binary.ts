/*
 * Arrays to and from Postgres in its binary format: a hundred thousand numbers in some
 * milliseconds, where an object for each row takes a hundred times as long.
 *
 * The driver reads every answer as text, so binary answers come by COPY; parameters it sends as
 * they are when they are Buffers.
 */
import type { ClientBase } from 'pg';
import { to } from 'pg-copy-streams';

/** The fields of a row as they came; null for null. */
export type BinaryRow = (Buffer | null)[];

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Bytes of an array's header with one dimension. */
const HEADER = 20;

const OID = { int2: 21, int4: 23, int8: 20, float8: 701, text: 25 } as const;

/**
 * The rows of a query in binary form. COPY takes no parameters: the text must hold nothing that
 * came from outside unquoted.
 */
export async function readBinary(client: ClientBase, query: string): Promise<BinaryRow[]> {
  const stream = client.query(to(`copy (${query}) to stdout (format binary)`));
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return parseRows(Buffer.concat(pieces));
}

function parseRows(data: Buffer): BinaryRow[] {
  if (!data.subarray(0, SIGNATURE.length).equals(SIGNATURE)) {
    throw new Error('not the binary format of COPY');
  }
  const rows: BinaryRow[] = [];
  let at = SIGNATURE.length + 4;
  at += 4 + data.readInt32BE(at);
  for (;;) {
    const fields = data.readInt16BE(at);
    at += 2;
    if (fields < 0) return rows;
    const row: BinaryRow = [];
    for (let field = 0; field < fields; field += 1) {
      const length = data.readInt32BE(at);
      at += 4;
      row.push(length < 0 ? null : data.subarray(at, at + length));
      at += Math.max(0, length);
    }
    rows.push(row);
  }
}

/** bigint; a RangeError beyond 2⁵³, where JavaScript's numbers have gaps. */
export function readBigint(field: Buffer): number {
  return bigintAt(field, 0);
}

/** bigint[]; null is an empty array, as array_agg has it. */
export function readBigints(field: Buffer | null): Float64Array {
  const { length, at } = arrayHeader(field, OID.int8);
  const values = new Float64Array(length);
  for (let item = 0; item < length; item += 1) {
    values[item] = bigintAt(field as Buffer, at + item * 12 + 4);
  }
  return values;
}

/** double precision[] */
export function readDoubles(field: Buffer | null): Float64Array {
  const { length, at } = arrayHeader(field, OID.float8);
  const values = new Float64Array(length);
  for (let item = 0; item < length; item += 1) {
    values[item] = (field as Buffer).readDoubleBE(at + item * 12 + 4);
  }
  return values;
}

/** smallint[] of values from −128 to 127; `ifNull` stands for null. */
export function readSmallints(field: Buffer | null, ifNull = 0): Int8Array {
  const { length, at } = arrayHeader(field, OID.int2);
  const values = new Int8Array(length);
  let place = at;
  for (let item = 0; item < length; item += 1) {
    const size = (field as Buffer).readInt32BE(place);
    values[item] = size < 0 ? ifNull : (field as Buffer).readInt16BE(place + 4);
    place += 4 + Math.max(0, size);
  }
  return values;
}

/** text[] without nulls. */
export function readTexts(field: Buffer | null): string[] {
  const { length, at } = arrayHeader(field, OID.text);
  const values: string[] = [];
  let place = at;
  for (let item = 0; item < length; item += 1) {
    const size = (field as Buffer).readInt32BE(place);
    values.push((field as Buffer).toString('utf8', place + 4, place + 4 + size));
    place += 4 + size;
  }
  return values;
}

function arrayHeader(field: Buffer | null, oid: number): { length: number; at: number } {
  if (field === null || field.readInt32BE(0) === 0) return { length: 0, at: 0 };
  if (field.readInt32BE(0) !== 1 || field.readInt32BE(8) !== oid) {
    throw new Error(`not an array of type ${oid} with one dimension`);
  }
  return { length: field.readInt32BE(12), at: HEADER };
}

function bigintAt(field: Buffer, at: number): number {
  const value = field.readInt32BE(at) * 2 ** 32 + field.readUInt32BE(at + 4);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is beyond 2⁵³`);
  return value;
}

/** As bigint[]. */
export function bigints(values: ArrayLike<number>): Buffer {
  return numbers(OID.int8, 8, values, (buffer, value, at) => {
    const high = Math.floor(value / 2 ** 32);
    buffer.writeInt32BE(high, at);
    buffer.writeUInt32BE(value - high * 2 ** 32, at + 4);
  });
}

/** As double precision[]. */
export function doubles(values: ArrayLike<number>): Buffer {
  return numbers(OID.float8, 8, values, (buffer, value, at) => buffer.writeDoubleBE(value, at));
}

/** As integer[]. */
export function integers(values: ArrayLike<number>): Buffer {
  return numbers(OID.int4, 4, values, (buffer, value, at) => buffer.writeInt32BE(value, at));
}

/** As smallint[], with null for `nullFor`. */
export function smallints(values: ArrayLike<number>, nullFor?: number): Buffer {
  const isNull = (value: number) => nullFor !== undefined && value === nullFor;
  let nulls = 0;
  for (let item = 0; item < values.length; item += 1) if (isNull(values[item]!)) nulls += 1;
  const buffer = Buffer.alloc(HEADER + values.length * 6 - nulls * 2);
  writeHeader(buffer, OID.int2, values.length, nulls > 0);
  let at = HEADER;
  for (let item = 0; item < values.length; item += 1) {
    const value = values[item]!;
    at = buffer.writeInt32BE(isNull(value) ? -1 : 2, at);
    if (!isNull(value)) at = buffer.writeInt16BE(value, at);
  }
  return buffer;
}

function numbers(
  oid: number,
  size: number,
  values: ArrayLike<number>,
  write: (buffer: Buffer, value: number, at: number) => void,
): Buffer {
  const buffer = Buffer.alloc(HEADER + values.length * (4 + size));
  writeHeader(buffer, oid, values.length, false);
  for (let item = 0; item < values.length; item += 1) {
    const at = HEADER + item * (4 + size);
    buffer.writeInt32BE(size, at);
    write(buffer, values[item]!, at + 4);
  }
  return buffer;
}

function writeHeader(buffer: Buffer, oid: number, length: number, nulls: boolean): void {
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(nulls ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
}
