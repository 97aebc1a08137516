import type { VoteMatrix } from './votes.ts';

/** Votes of each group on each statement; group g and column j are at g·columns + j. */
export interface GroupCounts {
  groups: number;
  columns: number;
  agrees: Int32Array;
  disagrees: Int32Array;
  /** Agrees, disagrees and passes. */
  votes: Int32Array;
}

/** A z score beyond which chance is ruled out, one-sided, at 90 %. */
export const SIGNIFICANT = 1.2816;

/**
 * Counts the votes of every group on every statement, those on zeroed statements too.
 *
 * @param group the group of each row, from 0; votes of rows with −1 count nowhere.
 */
export function countByGroup(matrix: VoteMatrix, group: Int8Array, groups: number): GroupCounts {
  const { rows, columns, rowStart, rowColumn, rowValue } = matrix;
  const agrees = new Int32Array(groups * columns);
  const disagrees = new Int32Array(groups * columns);
  const votes = new Int32Array(groups * columns);
  for (let row = 0; row < rows; row += 1) {
    if (group[row]! < 0) continue;
    const offset = group[row]! * columns;
    for (let cell = rowStart[row]!; cell < rowStart[row + 1]!; cell += 1) {
      const at = offset + rowColumn[cell]!;
      const value = rowValue[cell]!;
      votes[at]! += 1;
      if (value > 0) agrees[at]! += 1;
      else if (value < 0) disagrees[at]! += 1;
    }
  }
  return { groups, columns, agrees, disagrees, votes };
}

/** The counts of all groups together. */
export function countTogether({ groups, columns, ...counts }: GroupCounts): GroupCounts {
  const sum = (of: Int32Array) => {
    const result = new Int32Array(columns);
    for (let group = 0; group < groups; group += 1) {
      for (let column = 0; column < columns; column += 1) {
        result[column]! += of[group * columns + column]!;
      }
    }
    return result;
  };
  return {
    groups: 1,
    columns,
    agrees: sum(counts.agrees),
    disagrees: sum(counts.disagrees),
    votes: sum(counts.votes),
  };
}

/**
 * The probability that a vote of this kind is cast, estimated from s such votes among n: the mean
 * under a uniform prior, (s + 1) / (n + 2) (Laplace's rule of succession).
 */
export function probability(s: number, n: number): number {
  return (s + 1) / (n + 2);
}

/**
 * Whether more than half of n votes are of a kind of which there are s: the z score of a
 * one-proportion test with one such vote added, 2·√(n + 1)·((s + 1) / (n + 1) − 1/2).
 */
export function oneProportionTest(s: number, n: number): number {
  return 2 * Math.sqrt(n + 1) * ((s + 1) / (n + 1) - 0.5);
}

/**
 * Whether s of n votes are a greater part than others of otherN: the z score of a pooled
 * two-proportion test with 1 added to all four numbers; 0 if every vote is of the kind.
 */
export function twoProportionTest(s: number, n: number, others: number, otherN: number): number {
  const pooled = (s + 1 + others + 1) / (n + 1 + otherN + 1);
  if (pooled === 1) return 0;
  const variance = pooled * (1 - pooled) * (1 / (n + 1) + 1 / (otherN + 1));
  return ((s + 1) / (n + 1) - (others + 1) / (otherN + 1)) / Math.sqrt(variance);
}
