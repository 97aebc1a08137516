import type { VoteMatrix } from './votes.ts';

/**
 * The votes with the mean of their column taken away, as products with vectors: C_ij = v_ij − m_j
 * where i voted on j, 0 everywhere else and in zeroed columns. Nothing dense is ever made.
 */
export interface CentredMatrix {
  /** C·x */
  times(x: Float64Array): Float64Array;
  /** Cᵀ·x */
  transposedTimes(x: Float64Array): Float64Array;
  /** CᵀC·x, in one pass over the rows. */
  innerProduct(x: Float64Array, result: Float64Array): void;
  /** CCᵀ·x, in one pass over the columns. */
  outerProduct(x: Float64Array, result: Float64Array): void;
}

export function centredMatrix(matrix: VoteMatrix, center: Float64Array): CentredMatrix {
  const { rows, columns, rowStart, rowColumn, columnStart, columnRow } = matrix;
  const byRow = new Float64Array(rowColumn.length);
  for (let cell = 0; cell < byRow.length; cell += 1) {
    const column = rowColumn[cell]!;
    if (matrix.zeroed[column] === 0) byRow[cell] = matrix.rowValue[cell]! - center[column]!;
  }
  const byColumn = new Float64Array(columnRow.length);
  for (let column = 0; column < columns; column += 1) {
    if (matrix.zeroed[column] === 1) continue;
    for (let cell = columnStart[column]!; cell < columnStart[column + 1]!; cell += 1) {
      byColumn[cell] = matrix.columnValue[cell]! - center[column]!;
    }
  }
  return {
    times: (x) => product(rows, rowStart, rowColumn, byRow, x),
    transposedTimes: (x) => product(columns, columnStart, columnRow, byColumn, x),
    innerProduct: (x, result) => square(rows, rowStart, rowColumn, byRow, x, result),
    outerProduct: (x, result) => square(columns, columnStart, columnRow, byColumn, x, result),
  };
}

/** M·x, for M with these lines. */
function product(
  lines: number,
  start: Int32Array,
  index: Int32Array,
  value: Float64Array,
  x: Float64Array,
): Float64Array {
  const result = new Float64Array(lines);
  for (let line = 0; line < lines; line += 1) {
    let sum = 0;
    for (let cell = start[line]!; cell < start[line + 1]!; cell += 1) {
      sum += value[cell]! * x[index[cell]!]!;
    }
    result[line] = sum;
  }
  return result;
}

/** MᵀM·x, for M with these lines. */
function square(
  lines: number,
  start: Int32Array,
  index: Int32Array,
  value: Float64Array,
  x: Float64Array,
  result: Float64Array,
): void {
  result.fill(0);
  for (let line = 0; line < lines; line += 1) {
    const from = start[line]!;
    const to = start[line + 1]!;
    let sum = 0;
    for (let cell = from; cell < to; cell += 1) sum += value[cell]! * x[index[cell]!]!;
    for (let cell = from; cell < to; cell += 1) result[index[cell]!]! += value[cell]! * sum;
  }
}
