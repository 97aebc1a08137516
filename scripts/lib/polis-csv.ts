/*
 * Reads one CSV file of a Polis export row by row, so that every fault has a place.
 *
 * The bytes are checked before they are parsed: text that is not UTF-8 would otherwise arrive with
 * replacement characters, and a NUL would fail much later, in Postgres, without a line.
 */
import { createReadStream } from 'node:fs';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { PolisFormatError, shown } from './polis-error.ts';
import type { PolisFile } from './polis-source.ts';

/** Longest row in characters: 100,000 statements wide in participants-votes.csv. */
const MAX_ROW_CHARACTERS = 2 ** 20;

const NEWLINE = 0x0a;
const COMMA = 0x2c;

/** One row and the line it starts on, from 1. */
export interface CsvRow {
  fields: string[];
  line: number;
}

/** How far the parser is, which is further than what was read of it: an error overtakes rows. */
interface Parsed {
  /** The line on which the last row ended. */
  ended: number;
  /** Line breaks that csv-parse has counted twice. */
  excess: number;
  /** Empty lines up to the last row. */
  empty: number;
  /** The first row's number of fields. */
  width: number;
}

/**
 * The rows of a CSV file, the header among them, in order.
 *
 * `onBytes` is told how many bytes each piece that was read has. Throws PolisFormatError, with line
 * and column, when the text is not UTF-8, a row has another number of fields than the first, or a
 * quote is wrong.
 */
export async function* readCsvRows(
  file: PolisFile,
  options: { onBytes?: (bytes: number) => void } = {},
): AsyncGenerator<CsvRow> {
  const parsed: Parsed = { ended: 0, excess: 0, empty: 0, width: 0 };
  const parser = parse({
    bom: true,
    relax_column_count: false,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_CHARACTERS,
    on_record(fields, info) {
      // csv-parse names the line on which the row ended, and takes CR LF in a field for two breaks.
      const breaks = lineBreaks(fields);
      parsed.excess += breaks.pairs;
      parsed.ended = info.lines - parsed.excess;
      parsed.empty = info.empty_lines;
      parsed.width ||= fields.length;
      const row: CsvRow = { fields, line: parsed.ended - breaks.lines };
      // Whatever is returned comes out of the parser; its types allow arrays of fields only.
      return row as unknown as string[];
    },
  });
  const input = createReadStream(file.path, { highWaterMark: 256 * 1024 });
  const fed = pipeline(input, checkedText(file.name, options.onBytes), parser);
  // The parser's iterator throws the same error; without this it would count as unhandled too.
  fed.catch(() => undefined);
  try {
    yield* parser as AsyncIterable<CsvRow>;
    await fed;
  } catch (error) {
    throw csvFault(file.name, error, parsed);
  } finally {
    input.destroy();
    parser.destroy();
  }
}

/** How many line breaks the fields hold, and how many of them are a CR LF. */
function lineBreaks(fields: string[]): { lines: number; pairs: number } {
  let lines = 0;
  let pairs = 0;
  for (const field of fields) {
    if (!/[\r\n]/.test(field)) continue;
    for (const [found] of field.matchAll(/\r\n|\r|\n/g)) {
      lines += 1;
      if (found.length === 2) pairs += 1;
    }
  }
  return { lines, pairs };
}

function csvFault(file: string, error: unknown, parsed: Parsed): unknown {
  if (!(error instanceof CsvError)) return error;
  const empty = typeof error.empty_lines === 'number' ? error.empty_lines - parsed.empty : 0;
  const index = typeof error.index === 'number' ? error.index : undefined;
  // The line on which the row begins; csv-parse names the one where it gave up, for a quote that is
  // never closed the file's end.
  const fault = (problem: string, column = index === undefined ? undefined : index + 1) =>
    new PolisFormatError({ file, line: parsed.ended + 1 + empty, column }, problem, {
      cause: error,
    });
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return fault(
        'the quoted field is never closed: the file is cut short, or a quote is missing',
      );
    case 'CSV_INVALID_CLOSING_QUOTE':
      return fault(
        'the quoted field goes on after a closing quote: is it closed, its quotes doubled?',
      );
    case 'INVALID_OPENING_QUOTE':
      return fault('a quote in a field that does not begin with one');
    case 'CSV_MAX_RECORD_SIZE':
      return fault(`the row is longer than ${MAX_ROW_CHARACTERS} characters: is a quote missing?`);
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH': {
      const count = Array.isArray(error.record) ? error.record.length : 0;
      return fault(
        `the row has ${count} ${count === 1 ? 'field' : 'fields'} where the first has ` +
          `${parsed.width}: the file is cut short, or a comma or quote is wrong`,
        Math.min(count, parsed.width) + 1,
      );
    }
    default:
      return fault(error.message);
  }
}

/** Passes UTF-8 text through; fails with the line of the first byte that is none, or of a NUL. */
function checkedText(file: string, onBytes?: (bytes: number) => void): Transform {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let line = 1;
  /** Commas since the last line break: the field in which the next byte lies, from 0. */
  let commas = 0;
  let first = true;
  /** Bytes of a character that the previous chunk began. */
  let carried = Buffer.alloc(0);

  const check = (chunk: Buffer, last: boolean): void => {
    if (first && chunk.length > 0) {
      first = false;
      const mark = chunk.subarray(0, 2).toString('hex');
      if (mark === 'fffe' || mark === 'feff') {
        throw new PolisFormatError({ file, line: 1, column: 1 }, 'this is UTF-16, not UTF-8 text');
      }
    }
    const bytes = carried.length === 0 ? chunk : Buffer.concat([carried, chunk]);
    const whole = last ? bytes.length : wholeCharacters(bytes);
    const text = bytes.subarray(0, whole);
    carried = Buffer.from(bytes.subarray(whole));
    if (text.includes(0)) throw fault(text, text.indexOf(0), 'a NUL byte: this is not a text file');
    try {
      decoder.decode(text);
    } catch (error) {
      throw fault(text, firstBadByte(text), 'this is not UTF-8 text', error);
    }
    ({ line, commas } = advance(text));
  };

  const advance = (text: Buffer): { line: number; commas: number } => {
    const start = text.lastIndexOf(NEWLINE) + 1;
    return {
      line: line + count(text, NEWLINE),
      commas: (start === 0 ? commas : 0) + count(text.subarray(start), COMMA),
    };
  };

  const fault = (text: Buffer, at: number, problem: string, cause?: unknown) => {
    const place = advance(text.subarray(0, at));
    return new PolisFormatError({ file, line: place.line, column: place.commas + 1 }, problem, {
      cause,
    });
  };

  return new Transform({
    transform(chunk: Buffer, _encoding, callback: TransformCallback) {
      try {
        check(chunk, false);
      } catch (error) {
        callback(error as Error);
        return;
      }
      onBytes?.(chunk.length);
      callback(null, chunk);
    },
    flush(callback: TransformCallback) {
      try {
        check(Buffer.alloc(0), true);
        callback();
      } catch (error) {
        callback(error as Error);
      }
    },
  });
}

function count(bytes: Buffer, byte: number): number {
  let found = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) found += 1;
  return found;
}

/** The length of `bytes` without a character that its end cuts in two. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** The position of the first byte that is no UTF-8, found by halving. */
function firstBadByte(bytes: Buffer): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const end = good + wholeCharacters(bytes.subarray(good, middle));
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(good, end));
      if (end === good) break;
      good = end;
    } catch {
      bad = middle;
    }
  }
  return good;
}

/** A header: which columns there are, and where the wanted ones stand. */
export interface CsvHeader {
  names: string[];
  /** The position of a required column, from 0. */
  at(name: string): number;
  /** The position of an optional column, from 0, or −1. */
  find(name: string): number;
}

/** Reads a header row. Throws PolisFormatError when a required column is missing or twice there. */
export function readHeader(file: string, row: CsvRow | undefined, required: string[]): CsvHeader {
  if (row === undefined) throw new PolisFormatError({ file, line: 1 }, 'the file is empty');
  const names = row.fields;
  const seen = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    if (seen.has(name)) {
      throw new PolisFormatError(
        { file, line: row.line, column: index + 1 },
        `the column ${shown(name)} is there twice`,
      );
    }
    seen.set(name, index);
  }
  for (const name of required) {
    if (!seen.has(name)) {
      throw new PolisFormatError(
        { file, line: row.line, columnName: name },
        `the column "${name}" is missing; the header has ${shown(names.join(','))}`,
      );
    }
  }
  const find = (name: string) => seen.get(name) ?? -1;
  return { names, find, at: find };
}
