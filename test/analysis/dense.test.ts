import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../scripts/lib/analysis/analyze.ts';
import { meanSilhouettes } from '../../scripts/lib/analysis/silhouette.ts';
import { topOfTridiagonal } from '../../scripts/lib/analysis/tridiagonal.ts';
import { denseAnalysis, denseSilhouette, jacobi, type Vote } from './lib/dense.ts';
import { eventsOf } from './lib/made-up.ts';

/* Made-up conversations against a dense, naive computation of the same formulas. */

/** Up to 14 participants and 9 statements, most cells filled. */
const conversation = fc
  .record({ rows: fc.integer({ min: 1, max: 14 }), columns: fc.integer({ min: 1, max: 9 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      cells: fc.array(fc.constantFrom(1, -1, 0, null, 1, -1), {
        minLength: rows * columns,
        maxLength: rows * columns,
      }),
      moderated: fc.uniqueArray(fc.integer({ min: 0, max: columns - 1 }), { maxLength: 3 }),
      columns: fc.constant(columns),
    }),
  )
  .map(({ cells, moderated, columns }) => ({
    moderated,
    votes: cells.flatMap((value, at): Vote[] =>
      value === null
        ? []
        : [
            {
              participant: Math.floor(at / columns),
              statement: at % columns,
              value: value as Vote['value'],
            },
          ],
    ),
  }))
  .filter(({ votes }) => votes.length > 0);

describe('components and projections', () => {
  it('are those of the dense matrix', () => {
    let compared = 0;
    fc.assert(
      fc.property(conversation, ({ votes, moderated }) => {
        const result = analyze({ events: eventsOf(votes), moderated });
        const dense = denseAnalysis(votes, new Set(moderated));
        expect([...result.participants.ids]).toEqual(dense.participants);
        expect([...result.statements.ids]).toEqual(dense.statements);
        close(result.statements.center, dense.center);
        const [first = 0, second = 0, third = 0] = dense.eigenvalues;
        if (dense.participants.length > 1 && dense.statements.length > 1) {
          close(result.singularValues, [root(first), root(second)]);
        }
        // Vectors are determined where the eigenvalues are apart, their sign where one loading leads.
        const apart = first - second > 0.01 && second - third > 0.01 && second > 0.01;
        const signed = dense.eigenvectors.slice(0, 2).every(leads);
        if (dense.participants.length < 2 || !apart || !signed) return;
        compared += 1;
        close(result.statements.axes[0], dense.eigenvectors[0] as number[]);
        close(result.statements.axes[1], dense.eigenvectors[1] as number[]);
        close(result.participants.x, dense.x);
        close(result.participants.y, dense.y);
        close(result.statements.extremity, dense.extremity);
      }),
      { numRuns: 300, seed: 5 },
    );
    expect(compared).toBeGreaterThan(100);
  });

  it('of two that are equally strong both are found', () => {
    // Two quarrels that have nothing to do with each other, each as strong as the other.
    const votes: Vote[] = [0, 1].flatMap((quarrel) =>
      [0, 1, 2, 3].map((person) => ({
        participant: 4 * quarrel + person,
        statement: quarrel,
        value: person % 2 === 0 ? 1 : -1,
      })),
    );
    const { singularValues, statements } = analyze({ events: eventsOf(votes) });
    expect(singularValues[0]).toBeCloseTo(2, 12);
    expect(singularValues[1]).toBeCloseTo(2, 12);
    const [a, b] = statements.axes;
    expect((a[0] ?? 0) * (b[0] ?? 0) + (a[1] ?? 0) * (b[1] ?? 0)).toBeCloseTo(0, 12);
  });
});

describe('silhouettes', () => {
  const points = fc.array(
    fc.record({ x: fc.integer({ min: -4, max: 4 }), y: fc.integer({ min: -4, max: 4 }) }),
    { minLength: 2, maxLength: 25 },
  );

  it('of several partitions at once are those taken distance by distance', () => {
    fc.assert(
      fc.property(points, fc.infiniteStream(fc.nat()), (list, numbers) => {
        const x = list.map((it) => it.x + 0.1);
        const y = list.map((it) => it.y);
        const partitions = [2, 3, 4].map((k) => {
          const labels = list.map((_, at) => (at < 2 ? at : (numbers.next().value as number) % k));
          return { k, labels: Uint8Array.from(labels) };
        });
        const found = meanSilhouettes(
          { x: Float64Array.from(x), y: Float64Array.from(y) },
          partitions,
        );
        close(
          found,
          partitions.map(({ labels }) => denseSilhouette(x, y, [...labels])),
        );
      }),
      { numRuns: 200, seed: 3 },
    );
  });
});

describe('the top eigenpair of a tridiagonal matrix', () => {
  it('is that of Jacobi rotations', () => {
    const entry = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(entry, fc.constantFrom(0, 1, 1, 1), entry), {
          minLength: 1,
          maxLength: 12,
        }),
        (entries) => {
          const diagonal = entries.map(([value]) => value);
          const beside = entries.slice(1).map(([, present, value]) => present * value);
          const { value, vector } = topOfTridiagonal(diagonal, beside);
          const matrix = diagonal.map((_, i) =>
            diagonal.map((__, j) =>
              i === j ? diagonal[i]! : Math.abs(i - j) === 1 ? beside[Math.min(i, j)]! : 0,
            ),
          );
          expect(value).toBeCloseTo(jacobi(matrix).values[0]!, 9);
          close(
            matrix.map((row) => row.reduce((sum, a, j) => sum + a * vector[j]!, 0)),
            [...vector].map((it) => it * value),
          );
          expect(Math.hypot(...vector)).toBeCloseTo(1, 12);
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });
});

/** Whether the sign of a vector is clear: its largest entry is larger than any of another sign. */
function leads(vector: number[]): boolean {
  return Math.max(...vector) + Math.min(...vector) > 1e-6;
}

const root = (value: number) => Math.sqrt(Math.max(0, value));

function close(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (let at = 0; at < found.length; at += 1) {
    expect(Math.abs(found[at]! - expected[at]!), `at ${at}`).toBeLessThan(1e-7);
  }
}
