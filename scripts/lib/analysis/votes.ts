/*
 * From vote events to the vote matrix: a row for everybody with a vote, a column for every statement
 * with one, sparse, in both orientations.
 */

/** Votes as they come from a table or a file: the arrays run in parallel, one entry an event. */
export interface VoteEvents {
  /** Id of who voted. */
  participants: Float64Array;
  /** Id of the statement voted on. */
  statements: Float64Array;
  /** 1 agrees, −1 disagrees, 0 passes. */
  values: Int8Array;
  /** When, in any unit; without times an entry is later than those before it. */
  times?: Float64Array;
}

/** A sparse matrix of votes; a cell that is not stored is no vote. */
export interface VoteMatrix {
  rows: number;
  columns: number;
  /** Cells of row i are those from rowStart[i] to before rowStart[i + 1]. */
  rowStart: Int32Array;
  rowColumn: Int32Array;
  rowValue: Int8Array;
  /** The same cells column by column. */
  columnStart: Int32Array;
  columnRow: Int32Array;
  columnValue: Int8Array;
  /**
   * 1 for a column that is moderated out or meta. Its votes count wherever votes are counted, and
   * are zero for components and projection: zeroed, not dropped, because a dropped column changes S
   * and with it every projection.
   */
  zeroed: Uint8Array;
}

/** The votes of a conversation. Rows and columns are in ascending order of their ids. */
export interface VoteTable extends VoteMatrix {
  participantIds: Float64Array;
  statementIds: Float64Array;
  /** 1 for a column that is about the conversation itself (is_meta). */
  meta: Uint8Array;
}

/** What is known of statements beside their votes; ids without a vote may be among them. */
export interface StatementMarks {
  moderated?: Iterable<number>;
  meta?: Iterable<number>;
}

/**
 * Builds the table of votes. Of several votes of one participant on one statement the one with the
 * greatest time counts, of equally late ones the one that comes last. The order of the events has no
 * other influence.
 *
 * @throws RangeError for arrays of different lengths, an id that is no safe integer, another value.
 */
export function buildVoteTable(events: VoteEvents, marks: StatementMarks = {}): VoteTable {
  checkEvents(events);
  const participants = indexIds(events.participants);
  const statements = indexIds(events.statements);
  const rows = participants.ids.length;
  const columns = statements.ids.length;

  // Sorted by column, then by row; both are stable, so that events of one cell stay in their order.
  const byColumn = countingOrder(statements.index, columns);
  const sorted = countingOrder(participants.index, rows, byColumn.order).order;
  const latest = latestEvents(sorted, events.times, (a, b) => {
    return (
      participants.index[a] === participants.index[b] && statements.index[a] === statements.index[b]
    );
  });

  const rowStart = new Int32Array(rows + 1);
  const rowColumn = new Int32Array(latest.length);
  const rowValue = new Int8Array(latest.length);
  for (let cell = 0; cell < latest.length; cell += 1) {
    const event = latest[cell]!;
    rowStart[participants.index[event]! + 1]! += 1;
    rowColumn[cell] = statements.index[event]!;
    rowValue[cell] = events.values[event]!;
  }
  for (let row = 0; row < rows; row += 1) rowStart[row + 1]! += rowStart[row]!;

  const meta = marked(statements.ids, marks.meta);
  const zeroed = marked(statements.ids, marks.moderated);
  for (let column = 0; column < columns; column += 1) zeroed[column]! |= meta[column]!;
  return {
    ...withColumns({ rows, columns, rowStart, rowColumn, rowValue, zeroed }),
    participantIds: participants.ids,
    statementIds: statements.ids,
    meta,
  };
}

/**
 * The matrix with its rows and columns in another order: the new row i is the old `rowOrder[i]`, and
 * the new column likewise.
 */
export function permuteMatrix(
  matrix: VoteMatrix,
  rowOrder: Int32Array,
  columnOrder: Int32Array,
): VoteMatrix {
  const { rows, columns } = matrix;
  const newRow = inverse(rowOrder);
  const columnStart = new Int32Array(columns + 1);
  const columnRow = new Int32Array(matrix.columnRow.length);
  const columnValue = new Int8Array(matrix.columnValue.length);
  const zeroed = new Uint8Array(columns);
  let end = 0;
  for (let column = 0; column < columns; column += 1) {
    const old = columnOrder[column]!;
    zeroed[column] = matrix.zeroed[old]!;
    for (let cell = matrix.columnStart[old]!; cell < matrix.columnStart[old + 1]!; cell += 1) {
      columnRow[end] = newRow[matrix.columnRow[cell]!]!;
      columnValue[end] = matrix.columnValue[cell]!;
      end += 1;
    }
    columnStart[column + 1] = end;
  }
  // Twice transposed, so that the cells of a row, and of a column, are in ascending order too.
  const row = transpose(rows, columnStart, columnRow, columnValue);
  return withColumns({
    rows,
    columns,
    rowStart: row.start,
    rowColumn: row.index,
    rowValue: row.value,
    zeroed,
  });
}

/** Where each value of a permutation stands. */
export function inverse(order: Int32Array): Int32Array {
  const place = new Int32Array(order.length);
  for (let index = 0; index < order.length; index += 1) place[order[index]!] = index;
  return place;
}

type ByRow = Omit<VoteMatrix, 'columnStart' | 'columnRow' | 'columnValue'>;

function withColumns(matrix: ByRow): VoteMatrix {
  const { start, index, value } = transpose(
    matrix.columns,
    matrix.rowStart,
    matrix.rowColumn,
    matrix.rowValue,
  );
  return { ...matrix, columnStart: start, columnRow: index, columnValue: value };
}

/** Compressed rows to compressed columns, or back; the cells of each come out in ascending order. */
function transpose(width: number, start: Int32Array, index: Int32Array, value: Int8Array) {
  const newStart = new Int32Array(width + 1);
  for (let cell = 0; cell < index.length; cell += 1) newStart[index[cell]! + 1]! += 1;
  for (let at = 0; at < width; at += 1) newStart[at + 1]! += newStart[at]!;
  const next = newStart.slice(0, width);
  const newIndex = new Int32Array(index.length);
  const newValue = new Int8Array(index.length);
  for (let line = 0; line + 1 < start.length; line += 1) {
    for (let cell = start[line]!; cell < start[line + 1]!; cell += 1) {
      const to = next[index[cell]!]!++;
      newIndex[to] = line;
      newValue[to] = value[cell]!;
    }
  }
  return { start: newStart, index: newIndex, value: newValue };
}

function checkEvents({ participants, statements, values, times }: VoteEvents): void {
  const { length } = values;
  if (
    participants.length !== length ||
    statements.length !== length ||
    (times !== undefined && times.length !== length)
  ) {
    throw new RangeError('the arrays of vote events differ in length');
  }
  for (let event = 0; event < length; event += 1) {
    const value = values[event]!;
    if (value < -1 || value > 1) {
      throw new RangeError(`event ${event}: ${value} is not a vote (1, −1 or 0)`);
    }
    if (!Number.isSafeInteger(participants[event]!) || !Number.isSafeInteger(statements[event]!)) {
      throw new RangeError(`event ${event}: an id is not a safe integer`);
    }
  }
}

/** The distinct ids in ascending order, and for every entry the place of its id among them. */
function indexIds(entries: Float64Array): { ids: Float64Array; index: Int32Array } {
  // Numbered as they come first; only the distinct ones have to be sorted.
  const numbers = new Map<number, number>();
  const index = new Int32Array(entries.length);
  let last = Number.NaN;
  let number = -1;
  for (let entry = 0; entry < entries.length; entry += 1) {
    const id = entries[entry]!;
    if (id !== last) {
      last = id;
      number = numbers.get(id) ?? -1;
      if (number < 0) {
        number = numbers.size;
        numbers.set(id, number);
      }
    }
    index[entry] = number;
  }
  const ids = Float64Array.from(numbers.keys()).sort();
  const place = new Int32Array(ids.length);
  for (let at = 0; at < ids.length; at += 1) place[numbers.get(ids[at]!)!] = at;
  for (let entry = 0; entry < index.length; entry += 1) index[entry] = place[index[entry]!]!;
  return { ids, index };
}

/** The entries ordered by key (0 to before `keys`), equal keys in the order that they had. */
export function countingOrder(
  key: Int32Array,
  keys: number,
  entries?: Int32Array,
): { order: Int32Array; start: Int32Array } {
  const start = new Int32Array(keys + 1);
  for (let entry = 0; entry < key.length; entry += 1) start[key[entry]! + 1]! += 1;
  for (let at = 0; at < keys; at += 1) start[at + 1]! += start[at]!;
  const next = start.slice(0, keys);
  const order = new Int32Array(key.length);
  for (let at = 0; at < key.length; at += 1) {
    const entry = entries === undefined ? at : entries[at]!;
    order[next[key[entry]!]!++] = entry;
  }
  return { order, start };
}

/** Of each run of entries of the same cell the latest one, of equally late ones the last. */
function latestEvents(
  sorted: Int32Array,
  times: Float64Array | undefined,
  sameCell: (a: number, b: number) => boolean,
): Int32Array {
  const latest = new Int32Array(sorted.length);
  let count = 0;
  for (let at = 0; at < sorted.length; at += 1) {
    const event = sorted[at]!;
    const before = count === 0 ? -1 : latest[count - 1]!;
    if (before < 0 || !sameCell(before, event)) latest[count++] = event;
    else if (times === undefined || times[event]! >= times[before]!) latest[count - 1] = event;
  }
  return latest.slice(0, count);
}

function marked(ids: Float64Array, marks: Iterable<number> = []): Uint8Array {
  const set = new Set(marks);
  const flags = new Uint8Array(ids.length);
  if (set.size === 0) return flags;
  for (let at = 0; at < ids.length; at += 1) flags[at] = set.has(ids[at]!) ? 1 : 0;
  return flags;
}
