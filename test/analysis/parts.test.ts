import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consensusStatements, groupStanding } from '../../scripts/lib/analysis/consensus.ts';
import { groupPoints } from '../../scripts/lib/analysis/groups.ts';
import { distinctPoints, kMeans } from '../../scripts/lib/analysis/kmeans.ts';
import { groupLabels } from '../../scripts/lib/analysis/labels.ts';
import { matchGroups, turnedAxes } from '../../scripts/lib/analysis/matching.ts';
import { groupedParticipants } from '../../scripts/lib/analysis/participants.ts';
import { priorities } from '../../scripts/lib/analysis/priority.ts';
import { representatives } from '../../scripts/lib/analysis/representative.ts';
import {
  countTogether,
  type GroupCounts,
  oneProportionTest,
  twoProportionTest,
} from '../../scripts/lib/analysis/statistics.ts';
import { buildVoteTable, permuteMatrix } from '../../scripts/lib/analysis/votes.ts';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import type { Vote } from './lib/dense.ts';
import { eventsOf, twoCamps } from './lib/made-up.ts';

const pointsOf = (list: [number, number][]) => ({
  x: Float64Array.from(list, ([x]) => x),
  y: Float64Array.from(list, ([, y]) => y),
});

/** Counts of groups, written as [agrees, disagrees, passes] of each statement of each group. */
function countsOf(groups: [number, number, number][][]): GroupCounts {
  const flat = groups.flat();
  return {
    groups: groups.length,
    columns: groups[0]?.length ?? 0,
    agrees: Int32Array.from(flat, ([a]) => a),
    disagrees: Int32Array.from(flat, ([, d]) => d),
    votes: Int32Array.from(flat, ([a, d, p]) => a + d + p),
  };
}

describe('the vote table', () => {
  it('keeps the latest vote, of equally late ones the last, in both orientations', () => {
    const table = buildVoteTable(
      {
        participants: Float64Array.of(9, 3, 9, 9, 3, 9),
        statements: Float64Array.of(50, 50, 50, 7, 7, 7),
        values: Int8Array.of(1, -1, 0, 1, 1, -1),
        times: Float64Array.of(5, 1, 4, 2, 1, 2),
      },
      { moderated: [7, 1234], meta: [50] },
    );
    expect([...table.participantIds]).toEqual([3, 9]);
    expect([...table.statementIds]).toEqual([7, 50]);
    expect([...table.rowStart]).toEqual([0, 2, 4]);
    expect([...table.rowColumn]).toEqual([0, 1, 0, 1]);
    expect([...table.rowValue]).toEqual([1, -1, -1, 1]);
    expect([...table.columnRow]).toEqual([0, 1, 0, 1]);
    expect([...table.columnValue]).toEqual([1, -1, -1, 1]);
    expect([...table.zeroed]).toEqual([1, 1]);
    expect([...table.meta]).toEqual([0, 1]);
  });

  it('permuted and back is the same', () => {
    const table = buildVoteTable(eventsOf(twoCamps(12, 9)), { moderated: [4] });
    const random = createRandom(3);
    const order = (n: number) => {
      const list = Array.from({ length: n }, (_, at) => at);
      random.shuffle(list);
      return Int32Array.from(list);
    };
    const [rows, columns] = [order(table.rows), order(table.columns)];
    const back = (of: Int32Array) => of.map((_, at) => of.indexOf(at));
    const there = permuteMatrix(table, rows, columns);
    const { participantIds: _, statementIds: __, meta: ___, ...matrix } = table;
    expect(permuteMatrix(there, back(rows), back(columns))).toEqual(matrix);
    expect(there).not.toEqual(matrix);
  });

  it.each([
    ['another value', { values: Int8Array.of(2) }, /2 is not a vote/],
    ['an id beyond 2⁵³', { participants: Float64Array.of(2 ** 53) }, /not a safe integer/],
    ['a broken id', { statements: Float64Array.of(Number.NaN) }, /not a safe integer/],
    ['arrays of different lengths', { times: Float64Array.of(1, 2) }, /differ in length/],
  ])('refuses %s', (_, wrong, message) => {
    const right = {
      participants: Float64Array.of(1),
      statements: Float64Array.of(1),
      values: Int8Array.of(1),
    };
    expect(() => buildVoteTable({ ...right, ...wrong })).toThrow(message);
  });
});

describe('who is grouped', () => {
  const grouped = (votes: number[], columns: number) => {
    const list = votes.flatMap((count, participant) =>
      Array.from({ length: count }, (_, statement): Vote => ({ participant, statement, value: 1 })),
    );
    const table = buildVoteTable(eventsOf(list));
    expect(table.columns).toBe(columns);
    return [...groupedParticipants(table)];
  };

  it('is everybody with seven votes, when they are fifteen', () => {
    expect(grouped([...Array(15).fill(7), 6, 9], 9)).toEqual([...Array(15).keys(), 16]);
  });

  it('is whoever voted on everything where there is less than seven to vote on', () => {
    expect(grouped([...Array(20).fill(3), 2], 3)).toEqual([...Array(20).keys()]);
  });

  it('is filled up to fifteen by those with the most votes', () => {
    expect(grouped([8, 1, 2, ...Array(12).fill(3), 1], 8)).toEqual([
      ...[0, 1, 2],
      ...Array.from({ length: 12 }, (_, at) => 3 + at),
    ]);
  });
});

describe('k-means', () => {
  it('finds clusters that are there', () => {
    const random = createRandom(2);
    const centers: [number, number][] = [
      [0, 0],
      [9, 0],
      [0, 9],
      [9, 9],
    ];
    const list = Array.from({ length: 80 }, (_, at): [number, number] => {
      const [x, y] = centers[at % 4] as [number, number];
      return [x + random.next(), y + random.next()];
    });
    const { labels, sizes } = kMeans(pointsOf(list), 4, 10, createRandom(1));
    expect([...sizes]).toEqual([20, 20, 20, 20]);
    for (const [at, label] of labels.entries()) expect(label).toBe(labels[at % 4]);
  });

  it('ends where every point is with its nearest centre, and every centre in the middle', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -20, max: 20 })), {
          minLength: 6,
          maxLength: 60,
        }),
        fc.integer({ min: 2, max: 6 }),
        (list, k) => {
          const points = pointsOf(list.map(([x, y]) => [x / 10, y / 10]));
          fc.pre(distinctPoints(points, k) === k);
          const { labels, centers, sizes, inertia } = kMeans(points, k, 2, createRandom(1));
          let sum = 0;
          for (let c = 0; c < k; c += 1) {
            const own = [...labels.keys()].filter((at) => labels[at] === c);
            expect(own).toHaveLength(sizes[c] as number);
            expect(own.length).toBeGreaterThan(0);
            const mean = own.reduce((total, at) => total + points.x[at]!, 0) / own.length;
            expect(centers.x[c]!).toBeCloseTo(mean, 9);
          }
          for (const [at, label] of labels.entries()) {
            const to = (c: number) =>
              (points.x[at]! - centers.x[c]!) ** 2 + (points.y[at]! - centers.y[c]!) ** 2;
            const least = Math.min(...Array.from({ length: k }, (_, c) => to(c)));
            expect(to(label) - least).toBeLessThanOrEqual(1e-9 * (1 + least));
            sum += to(label);
          }
          expect(inertia).toBeCloseTo(sum, 9);
        },
      ),
      { numRuns: 300, seed: 4 },
    );
  });

  it('fills k clusters even when starting points fall together', () => {
    const points = pointsOf([...Array<[number, number]>(50).fill([0, 0]), [1, 0], [1, 1e-9]]);
    const { sizes } = kMeans(points, 3, 10, createRandom(1));
    expect([...sizes].sort((a, b) => a - b)).toEqual([1, 1, 50]);
  });
});

describe('the choice of groups', () => {
  const blob = (n: number, x: number, seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: n }, (): [number, number] => [x + random.next(), random.next()]);
  };

  it('takes the number that separates best', () => {
    const grouping = groupPoints(
      pointsOf([...blob(40, 0, 1), ...blob(60, 5, 2), ...blob(30, 9, 3)]),
    );
    expect(grouping.sizes).toEqual([60, 40, 30]);
    expect(grouping.labels[0]).toBe(1);
    expect(grouping.candidates.map(({ k }) => k)).toEqual([2, 3, 4, 5, 6]);
  });

  it('does not report an outlier as a group', () => {
    const grouping = groupPoints(pointsOf([...blob(30, 0, 1), ...blob(30, 2, 2), [500, 0]]));
    const two = grouping.candidates.find(({ k }) => k === 2);
    expect(two).toMatchObject({ sizes: [60, 1], eligible: false });
    expect(two?.silhouette).toBeGreaterThan(0.9);
    expect(Math.min(...grouping.sizes, 2)).toBe(2);
  });

  it('tries no more groups than there are dozens of participants', () => {
    const grouping = groupPoints(pointsOf(blob(25, 0, 1)));
    expect(grouping.candidates.map(({ k }) => k)).toEqual([2, 3, 4]);
  });

  it.each([
    ['nobody', []],
    ['three', blob(3, 0, 1)],
    ['all in one place', Array<[number, number]>(20).fill([1, 1])],
  ])('of %s there are none', (_, list) => {
    expect(groupPoints(pointsOf(list as [number, number][]))).toMatchObject({ k: 0, sizes: [] });
  });
});

describe('groups of the run before', () => {
  const ids = Float64Array.from({ length: 10 }, (_, at) => at);
  const previous = (group: number[]) => ({
    participantIds: ids,
    x: ids.map((id) => id - 5),
    y: ids.map((id) => 5 - id),
    group: Int8Array.from(group),
  });

  it('keep their keys when their numbers change', () => {
    const before = previous([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    const now = Int8Array.of(1, 1, 1, 1, 0, 0, 0, 0, 0, 0);
    expect(matchGroups(ids, now, 2, before)).toEqual([
      { key: 1, continues: true },
      { key: 0, continues: true },
    ]);
  });

  it('a half that splits off gets a new key, the larger half goes on', () => {
    const before = previous([2, 2, 2, 2, 2, 2, 0, 0, 0, 0]);
    const now = Int8Array.of(0, 0, 0, 0, 2, 2, 1, 1, 1, 1);
    expect(matchGroups(ids, now, 3, before)).toEqual([
      { key: 2, continues: true },
      { key: 0, continues: true },
      { key: 1, continues: false },
    ]);
  });

  it('split evenly, one keeps the colour, and neither is the same', () => {
    const before = previous([0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    const now = Int8Array.of(0, 0, 0, 0, 1, 1, 1, 1, -1, -1);
    expect(matchGroups(ids, now, 2, before)).toEqual([
      { key: 0, continues: false },
      { key: 1, continues: false },
    ]);
  });

  it('who was in no group, or has come since, does not count', () => {
    const before = { ...previous([0, 0, -1, -1, -1, -1, -1, -1, 1, 1]) };
    const now = Int8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0, 0);
    expect(matchGroups(ids, now, 2, before).map(({ key }) => key)).toEqual([1, 0]);
    expect(
      matchGroups(
        ids.map((id) => id + 100),
        now,
        2,
        before,
      ),
    ).toEqual([
      { key: 0, continues: false },
      { key: 1, continues: false },
    ]);
  });

  it('axes are turned so that people stand where they stood', () => {
    const before = previous(Array(10).fill(0));
    expect(
      turnedAxes(ids, { x: ids.map((id) => 5 - id), y: ids.map((id) => 5 - id) }, before),
    ).toEqual({ x: true, y: false });
    expect(turnedAxes(ids, { x: before.x, y: before.y }, null)).toEqual({ x: false, y: false });
  });
});

describe('statistics', () => {
  it('are those worked out by hand', () => {
    // 2·√71·(60/71 − 1/2) and, of 60/71 against 14/41: pooled 74/112.
    expect(oneProportionTest(59, 70)).toBeCloseTo(5.81523012515, 10);
    const pooled = 74 / 112;
    expect(twoProportionTest(59, 70, 13, 40)).toBeCloseTo(
      (60 / 71 - 14 / 41) / Math.sqrt(pooled * (1 - pooled) * (1 / 71 + 1 / 41)),
      12,
    );
    expect(twoProportionTest(5, 5, 3, 3)).toBe(0);
  });

  const oneSided = countsOf([
    [
      [20, 0, 0],
      [2, 17, 1],
      [9, 9, 2],
      [18, 1, 1],
    ],
    [
      [1, 18, 1],
      [3, 16, 1],
      [9, 8, 3],
      [17, 2, 1],
    ],
  ]);

  it('tell agreed, disagreed and divisive statements', () => {
    const { standing, divisiveness } = groupStanding(oneSided, new Uint8Array(4));
    expect([...standing]).toEqual([3, 2, 0, 1]);
    expect(divisiveness[0]).toBeCloseTo((21 / 22) * (19 / 22), 12);
    expect([...groupStanding(oneSided, Uint8Array.of(1, 0, 0, 1)).standing]).toEqual([0, 2, 0, 0]);
  });

  it('represent a group by what it alone thinks, and by nothing that is moderated out', () => {
    const together = countTogether(oneSided);
    const [first, second] = representatives(oneSided, together, new Uint8Array(4));
    expect(first?.selected[0]).toMatchObject({ column: 0, direction: 'agree', successes: 20 });
    expect(first?.sufficient.map(({ column }) => column)).toEqual([0]);
    expect(second?.selected.map(({ column, direction }) => [column, direction])).toEqual([
      [3, 'disagree'],
      [0, 'disagree'],
    ]);
    const zeroed = representatives(oneSided, together, Uint8Array.of(1, 0, 0, 0));
    expect(zeroed[0]?.selected.some(({ column }) => column === 0)).toBe(false);
  });

  it('of sufficient statements the five strongest are taken though nothing is agreed with', () => {
    // Both groups disagree with everything: no best agree, but six sufficient ones.
    const counts = countsOf([
      Array.from({ length: 6 }, () => [0, 30, 0] as [number, number, number]),
      Array.from({ length: 6 }, (_, at) => [0, 2 + at, 20] as [number, number, number]),
    ]);
    const [first] = representatives(counts, countTogether(counts), new Uint8Array(6));
    expect(first?.sufficient).toHaveLength(6);
    expect(first?.selected.map(({ column }) => column)).toEqual([0, 1, 2, 3, 4]);
    expect(first?.selected.every(({ bestAgree }) => !bestAgree)).toBe(true);
  });

  it('without anything sufficient the best there is', () => {
    const counts = countsOf([[[1, 1, 0]], [[1, 1, 0]]]);
    const [first] = representatives(counts, countTogether(counts), new Uint8Array(1));
    expect(first?.sufficient).toEqual([]);
    expect(first?.selected).toHaveLength(1);
    const none = representatives(counts, countTogether(counts), Uint8Array.of(1));
    expect(none[0]?.selected).toEqual([]);
  });

  it('unite the conversation in what nearly all think', () => {
    const all = countTogether(oneSided);
    const { agree, disagree } = consensusStatements(all, new Uint8Array(4));
    expect(agree.map(({ column }) => column)).toEqual([3]);
    expect(disagree.map(({ column }) => column)).toEqual([1]);
  });

  it('give statements that nobody knows, and extreme ones, priority', () => {
    const counts = countsOf([
      [
        [0, 0, 0],
        [30, 10, 0],
        [30, 10, 0],
        [1, 1, 38],
        [5, 5, 5],
      ],
    ]);
    const found = priorities(counts, Float64Array.of(1, 1, 3, 1, 0), Uint8Array.of(0, 0, 0, 0, 1));
    expect(found[0]).toBeCloseTo((0.5 * 2 * 0.5 * 9) ** 2, 12);
    expect(found[0]).toBeGreaterThan(found[1] as number);
    expect(found[2]).toBeGreaterThan(found[1] as number);
    expect(found[3]).toBeLessThan(found[1] as number);
    expect(found[4]).toBe(49);
  });
});

describe('labels', () => {
  const counts = countsOf([
    [
      [30, 1, 0],
      [28, 2, 0],
      [2, 29, 0],
      [15, 15, 0],
    ],
    [
      [2, 30, 0],
      [1, 30, 0],
      [30, 2, 0],
      [15, 14, 0],
    ],
  ]);
  const together = countTogether(counts);
  const found = representatives(counts, together, new Uint8Array(4));
  const label = (...texts: string[]) => groupLabels(found, counts, together, texts);

  it('are words that come back where the group agrees', () => {
    expect(
      label(
        'The bicycles need lanes of their own.',
        'More bicycles, and the town is quiet.',
        'The cars need the parking garages of the town.',
        'It will cost what it costs, and of course the others don’t pay.',
      ),
    ).toEqual([
      expect.stringMatching(/^bicycles, /),
      expect.stringMatching(/^(cars|parking|garages)/),
    ]);
  });

  it('are words in Chinese too, where no spaces part them', () => {
    const [first, second] = label(
      '我覺得計程車應該降價。',
      '計程車的素質比較好。',
      '我覺得公共安全受到威脅。',
      '我覺得政府應該討論。',
    );
    expect(first).toContain('計程車');
    expect(second).toMatch(/公共|安全|威脅/);
  });

  it('of a group that only disagrees name what it disagrees with', () => {
    const disagree = countsOf([
      [
        [0, 30, 0],
        [0, 29, 0],
      ],
      [
        [2, 3, 20],
        [2, 2, 20],
      ],
    ]);
    const all = countTogether(disagree);
    const [first] = groupLabels(representatives(disagree, all, new Uint8Array(2)), disagree, all, [
      'Close the library',
      'Close the swimming pool',
    ]);
    expect(first).toMatch(/^≠ (Close|library|swimming)/);
  });

  it('are empty where there is no text, and never longer than 80 characters', () => {
    expect(label('', '123 456', '?!', '')).toEqual(['', '']);
    const long = 'x'.repeat(300);
    for (const it of label(long, long, `${long}y`, '')) expect([...it].length).toBeLessThan(81);
  });
});
