import { createRandom } from '../demo-random.ts';
import { centredMatrix } from './centred-matrix.ts';
import { dominantEigenpair, dot, normalise, orthogonalise } from './lanczos.ts';
import type { VoteMatrix } from './votes.ts';

export interface Components {
  /** Mean vote of every column; 0 for zeroed ones. */
  center: Float64Array;
  /** The two principal axes, of length 1 or all zero where there is no second or no variance. */
  axes: [Float64Array, Float64Array];
  /** Length of the centred matrix along each axis. */
  singularValues: [number, number];
  /** How often the matrix was multiplied. */
  applications: number;
}

/** Any number: the start of the iteration is the same in every run. */
const SEED = 20_120_101;
/** Variance along the second axis, as a part of the first's, below which it is rounding. */
const RANK_TOLERANCE = 1e-12;

/**
 * The two principal components of the votes, exactly.
 *
 * A missing vote is taken for the mean of its column, so after centring it is 0: with m_j the mean
 * of the votes on statement j, the centred matrix C has v_ij − m_j where i voted on j and 0
 * everywhere else, and in zeroed columns. It is as sparse as the votes, and its first two right
 * singular vectors are the components: the top eigenvectors of CᵀC, or Cᵀ times those of CCᵀ,
 * whichever of the two is smaller (Small et al. 2021, "Polis: Scaling deliberation by mapping high
 * dimensional opinion spaces", Recerca 26(2)).
 *
 * The sign of a component is arbitrary: here its largest loading is positive. Degenerate input: a
 * single participant spans the first axis with their own votes; a single statement is the first
 * axis; without a second direction the second axis is zero.
 */
export function principalComponents(matrix: VoteMatrix): Components {
  const { rows, columns } = matrix;
  const center = columnMeans(matrix);
  if (rows === 1 || columns === 1) return degenerate(matrix, center);
  const centred = centredMatrix(matrix, center);
  const random = createRandom(SEED);
  const byRow = rows < columns;
  const length = byRow ? rows : columns;
  const product = byRow ? centred.outerProduct : centred.innerProduct;

  const first = dominantEigenpair(product, length, [], random);
  const second =
    first.value > 0
      ? dominantEigenpair(product, length, [first.vector], random)
      : { ...first, applications: 0 };
  const axis = (vector: Float64Array) => {
    // For CᵀC one multiplication more than needed: equal columns get equal loadings to the last bit.
    const result = centred.transposedTimes(byRow ? vector : centred.times(vector));
    normalise(result);
    return result;
  };
  const axes: [Float64Array, Float64Array] = [axis(first.vector), new Float64Array(columns)];
  if (second.value > RANK_TOLERANCE * first.value) {
    axes[1] = axis(second.vector);
    orthogonalise(axes[1], [axes[0]]);
    normalise(axes[1]);
  }
  const singularValues: [number, number] = [0, 0];
  for (const [k, vector] of axes.entries()) {
    if (largestIsNegative(vector)) {
      for (let at = 0; at < columns; at += 1) vector[at] = 0 - vector[at]!;
    }
    const scores = centred.times(vector);
    singularValues[k] = Math.sqrt(dot(scores, scores));
  }
  return {
    center,
    axes,
    singularValues,
    applications: first.applications + second.applications,
  };
}

/** m_j: the mean of the votes on each statement, 0 for zeroed columns. */
function columnMeans({ columns, columnStart, columnValue, zeroed }: VoteMatrix): Float64Array {
  const means = new Float64Array(columns);
  for (let column = 0; column < columns; column += 1) {
    if (zeroed[column] === 1) continue;
    const from = columnStart[column]!;
    const to = columnStart[column + 1]!;
    let sum = 0;
    for (let cell = from; cell < to; cell += 1) sum += columnValue[cell]!;
    if (to > from) means[column] = sum / (to - from);
  }
  return means;
}

function degenerate(matrix: VoteMatrix, center: Float64Array): Components {
  const first = new Float64Array(matrix.columns);
  if (matrix.columns === 1) first[0] = 1;
  else if (matrix.rows === 1) {
    for (const [cell, column] of matrix.rowColumn.entries()) {
      if (matrix.zeroed[column] === 0) first[column] = matrix.rowValue[cell]!;
    }
    normalise(first);
  }
  return {
    center,
    axes: [first, new Float64Array(matrix.columns)],
    // One participant, or one statement with its mean taken away: the latter may have length.
    singularValues: [matrix.columns === 1 ? deviation(matrix, center[0]!) : 0, 0],
    applications: 0,
  };
}

/** Length of the only column, its mean taken away. */
function deviation({ columnValue, zeroed }: VoteMatrix, mean: number): number {
  if (zeroed[0] === 1) return 0;
  let sum = 0;
  for (const value of columnValue) sum += (value - mean) ** 2;
  return Math.sqrt(sum);
}

function largestIsNegative(vector: Float64Array): boolean {
  let largest = 0;
  for (let at = 0; at < vector.length; at += 1) {
    if (Math.abs(vector[at]!) > Math.abs(largest)) largest = vector[at]!;
  }
  return largest < 0;
}
