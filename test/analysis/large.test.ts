import { beforeAll, describe, expect, it } from 'vitest';
import { LARGE, makeConversation } from '../../scripts/bench/analysis-data.ts';
import {
  type AnalysisInput,
  type AnalysisResult,
  analyze,
} from '../../scripts/lib/analysis/analyze.ts';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import { jacobi } from './lib/dense.ts';

/*
 * A conversation as large as they get, at 0.1 % density, where components localise on a few people:
 * exact components are eigenvectors, and none is greater.
 */

let input: AnalysisInput;
let result: AnalysisResult;

beforeAll(() => {
  input = makeConversation(LARGE);
  result = analyze(input);
});

describe('6,000 participants, 19,200 statements, 113,000 votes', () => {
  it('are what was asked for', () => {
    expect(result.votes).toBe(LARGE.votes);
    expect(result.participants.ids).toHaveLength(LARGE.participants);
    expect(result.statements.ids).toHaveLength(LARGE.statements);
    expect(result.outcome).toBe('grouped');
    expect(result.candidates.map(({ k }) => k)).toEqual([2, 3, 4, 5, 6]);
  });

  it('have exact components, and there are no greater ones', () => {
    const { axes, ids } = result.statements;
    const rows = centredRows(input, new Map([...ids].map((id, at) => [id, at])));
    for (const [k, axis] of axes.entries()) {
      const square = (result.singularValues[k] as number) ** 2;
      const image = gramTimes(rows, [...axis]);
      const residual = Math.sqrt(
        image.reduce((sum, value, at) => sum + (value - square * axis[at]!) ** 2, 0),
      );
      expect(residual / square).toBeLessThan(1e-10);
      expect(dot([...axis], [...axis])).toBeCloseTo(1, 12);
    }
    expect(dot([...axes[0]], [...axes[1]])).toBeCloseTo(0, 12);
    const found = subspaceIteration(rows, ids.length);
    for (const [k, value] of result.singularValues.entries()) {
      expect(value ** 2 / (found[k] as number)).toBeGreaterThan(1 - 1e-12);
      expect(value ** 2 / (found[k] as number)).toBeLessThan(1.01);
    }
  });
});

type Row = [column: number, value: number][];

/** The rows of C, by another way than the program's. */
function centredRows(
  { events, moderated = [] }: AnalysisInput,
  column: Map<number, number>,
): Row[] {
  const zeroed = new Set(moderated);
  const rows = new Map<number, Row>();
  const votes = new Map<number, number[]>();
  for (const [at, value] of events.values.entries()) {
    const statement = events.statements[at] as number;
    if (zeroed.has(statement)) continue;
    votes.set(statement, [...(votes.get(statement) ?? []), value]);
    const row = rows.get(events.participants[at] as number) ?? [];
    row.push([statement, value]);
    rows.set(events.participants[at] as number, row);
  }
  const mean = new Map(
    [...votes].map(([id, values]) => [id, values.reduce((a, b) => a + b, 0) / values.length]),
  );
  return [...rows.values()].map((row) =>
    row.map(([id, value]) => [column.get(id) as number, value - (mean.get(id) as number)]),
  );
}

/** CᵀC·x */
function gramTimes(rows: Row[], x: number[]): number[] {
  const result: number[] = Array(x.length).fill(0);
  for (const row of rows) {
    let score = 0;
    for (const [at, value] of row) score += value * x[at]!;
    for (const [at, value] of row) result[at]! += value * score;
  }
  return result;
}

/** Lower bounds of the largest eigenvalues of CᵀC, close ones: Ritz values of eight vectors. */
function subspaceIteration(rows: Row[], length: number): number[] {
  const random = createRandom(99);
  let vectors = Array.from({ length: 8 }, () => Array.from({ length }, () => random.normal()));
  for (let round = 0; round < 40; round += 1) {
    vectors = vectors.map((vector) => gramTimes(rows, vector));
    for (const [k, vector] of vectors.entries()) {
      for (const earlier of vectors.slice(0, k)) {
        const along = dot(vector, earlier);
        for (let at = 0; at < length; at += 1) vector[at]! -= along * earlier[at]!;
      }
      const norm = Math.sqrt(dot(vector, vector));
      for (let at = 0; at < length; at += 1) vector[at]! /= norm;
    }
  }
  const images = vectors.map((vector) => gramTimes(rows, vector));
  return jacobi(vectors.map((a) => images.map((b) => dot(a, b)))).values;
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * b[at]!, 0);
