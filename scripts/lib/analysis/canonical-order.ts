import type { VoteMatrix } from './votes.ts';

/** An order of rows and columns: the first row is the old `rows[0]`, the first column `columns[0]`. */
export interface CanonicalOrder {
  rows: Int32Array;
  columns: Int32Array;
}

/** Where the refinement is given up: chains of votes this long tell nobody apart in practice. */
const MAX_ROUNDS = 16;

/**
 * An order of participants and statements that only their votes decide, neither their ids nor the
 * order in which they came.
 *
 * Sums of floating point depend on the order of their terms, and k-means++ on the order of its
 * points. In this order both come out the same to the last bit however the input was numbered or
 * sorted.
 *
 * Colour refinement on the graph of votes (Weisfeiler and Leman 1968): every row's colour is hashed
 * from its own and the colours of the columns it voted on, each with the vote, and the columns'
 * likewise, until no more colours appear. Two 32-bit hashes stand for a colour: among 100,000
 * colours two are the same by accident once in some million conversations. Participants who keep the
 * same colour have the same votes or are symmetric to each other; they stay in the order of their
 * ids, which for the former changes nothing.
 *
 * Costs O(votes) a round; two to five rounds.
 */
export function canonicalOrder(matrix: VoteMatrix): CanonicalOrder {
  const { rows, columns, zeroed } = matrix;
  const rowColour = makeColours(rows);
  const columnColour = makeColours(columns);
  for (let column = 0; column < columns; column += 1) {
    columnColour.a[column] = zeroed[column]!;
    columnColour.b[column] = zeroed[column]!;
  }
  const rowKeys = new Float64Array(rows);
  const columnKeys = new Float64Array(columns);
  let colours = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    refine(rowColour, columnColour, matrix.rowStart, matrix.rowColumn, matrix.rowValue);
    refine(columnColour, rowColour, matrix.columnStart, matrix.columnRow, matrix.columnValue);
    const found = countColours(rowColour, rowKeys) + countColours(columnColour, columnKeys);
    if (found <= colours || found === rows + columns) break;
    colours = found;
  }
  return { rows: orderByKey(rowKeys), columns: orderByKey(columnKeys) };
}

interface Colours {
  a: Int32Array;
  b: Int32Array;
}

const makeColours = (length: number): Colours => ({
  a: new Int32Array(length),
  b: new Int32Array(length),
});

/**
 * One round for one side: own colour and the neighbours' with the vote between. The neighbours are
 * added up, because they come in no order.
 */
function refine(
  own: Colours,
  other: Colours,
  start: Int32Array,
  neighbour: Int32Array,
  value: Int8Array,
): void {
  for (let line = 0; line + 1 < start.length; line += 1) {
    let a = 0;
    let b = 0;
    for (let cell = start[line]!; cell < start[line + 1]!; cell += 1) {
      const at = neighbour[cell]!;
      const vote = value[cell]! + 2;
      a = (a + mix(other.a[at]! ^ Math.imul(vote, 0x9e3779b1))) | 0;
      b = (b + mix(other.b[at]! ^ Math.imul(vote, 0x7feb352d))) | 0;
    }
    own.a[line] = mix(Math.imul(own.a[line]!, 31) + a);
    own.b[line] = mix(Math.imul(own.b[line]!, 37) + b);
  }
}

/** The 32-bit finalizer of MurmurHash3 (A. Appleby), on an input that is not zero. */
function mix(input: number): number {
  let bits = (input + 0x51ed270b) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** Writes the colours as numbers of 53 bits, and returns how many different ones there are. */
function countColours({ a, b }: Colours, keys: Float64Array): number {
  for (let at = 0; at < keys.length; at += 1) {
    keys[at] = (a[at]! & 0x1fffff) * 2 ** 32 + (b[at]! >>> 0);
  }
  const sorted = keys.slice().sort();
  let count = 0;
  for (let at = 0; at < sorted.length; at += 1) {
    if (at === 0 || sorted[at] !== sorted[at - 1]) count += 1;
  }
  return count;
}

function orderByKey(keys: Float64Array): Int32Array {
  const order = new Int32Array(keys.length);
  for (let at = 0; at < order.length; at += 1) order[at] = at;
  return order.sort((a, b) => keys[a]! - keys[b]! || a - b);
}
