import { describe, expect, it } from 'vitest';
import { type AnalysisOutcome, analyze } from '../../scripts/lib/analysis/analyze.ts';
import type { Vote } from './lib/dense.ts';
import { eventsOf, exactly, twoCamps } from './lib/made-up.ts';

/* Conversations with too little in them: an outcome that says what is missing, and never a NaN. */

const vote = (participant: number, statement: number, value: Vote['value']): Vote => ({
  participant,
  statement,
  value,
});
const everybody = (people: number, statements: number, value: (p: number, s: number) => number) =>
  Array.from({ length: people * statements }, (_, at) => {
    const [participant, statement] = [Math.floor(at / statements), at % statements];
    return vote(participant, statement, value(participant, statement) as Vote['value']);
  });

const CASES: [string, Vote[], AnalysisOutcome, { moderated?: number[] }?][] = [
  ['no votes', [], 'no_votes'],
  ['one vote', [vote(1, 1, 1)], 'not_enough_participants'],
  ['one participant', everybody(1, 9, (_, s) => (s % 3) - 1), 'not_enough_participants'],
  ['two participants', everybody(2, 9, (p, s) => (p + s) % 2), 'not_enough_participants'],
  ['three participants', everybody(3, 9, (p, s) => ((p + s) % 3) - 1), 'not_enough_participants'],
  ['one statement', everybody(20, 1, (p) => (p % 3) - 1), 'not_enough_opinions'],
  [
    'one statement left',
    everybody(20, 2, (p) => (p % 3) - 1),
    'not_enough_opinions',
    {
      moderated: [1],
    },
  ],
  [
    'everything moderated',
    everybody(20, 8, (p, s) => ((p + s) % 3) - 1),
    'not_enough_opinions',
    {
      moderated: [0, 1, 2, 3, 4, 5, 6, 7],
    },
  ],
  ['all the same vote', everybody(30, 8, () => 1), 'no_groups'],
  ['all passes', everybody(30, 8, () => 0), 'no_groups'],
  ['everybody of one mind on each', everybody(30, 8, (_, s) => (s % 3) - 1), 'no_groups'],
  ['one dissenter', everybody(30, 8, (p) => (p === 7 ? -1 : 1)), 'no_groups'],
  ['two minds, all alike within', everybody(30, 8, (p) => (p % 2 === 0 ? 1 : -1)), 'grouped'],
  ['four participants', everybody(4, 2, (p) => (p % 2 === 0 ? 1 : -1)), 'grouped'],
  ['nobody votes on the same', Array.from({ length: 30 }, (_, at) => vote(at, at, 1)), 'no_groups'],
  ['one quarrel, alike to the last', everybody(16, 2, (p, s) => (s === 0 ? 1 : p % 2)), 'grouped'],
];

describe.each(CASES)('%s', (_, votes, outcome, marks = {}) => {
  const result = analyze({
    events: eventsOf(votes),
    ...marks,
    texts: new Map(votes.map(({ statement }) => [statement, `Statement number ${statement}`])),
  });

  it(`ends as ${outcome}`, () => {
    expect(result.outcome).toBe(outcome);
    expect(result.groups.length > 0).toBe(outcome === 'grouped');
    for (const { size } of result.groups) expect(size).toBeGreaterThan(1);
  });

  it('has a position for everybody, and no number that is none', () => {
    expect(result.participants.ids).toHaveLength(new Set(votes.map((it) => it.participant)).size);
    expect(result.statements.ids).toHaveLength(new Set(votes.map((it) => it.statement)).size);
    const numbers: number[] = [];
    JSON.stringify(result, (__, value: unknown) => {
      if (ArrayBuffer.isView(value)) numbers.push(...(value as Float64Array));
      else if (typeof value === 'number') numbers.push(value);
      return value;
    });
    expect(numbers.every(Number.isFinite)).toBe(true);
    expect(numbers.length).toBeGreaterThan(0);
  });
});

it('one statement is the first axis, one participant spans it', () => {
  const [first, second] = analyze({ events: eventsOf(everybody(6, 1, (p) => (p % 2 ? 1 : -1))) })
    .statements.axes;
  expect([...first, ...second]).toEqual([1, 0]);
  const { axes } = analyze({
    events: eventsOf([vote(1, 1, 1), vote(1, 2, 0), vote(1, 3, -1)]),
  }).statements;
  expect(axes[0][0]).toBeCloseTo(Math.SQRT1_2, 12);
  expect(axes[0][2]).toBeCloseTo(-Math.SQRT1_2, 12);
  expect([...axes[1]]).toEqual([0, 0, 0]);
});

describe('with what was published before', () => {
  const votes = twoCamps(60, 14);
  const input = { events: eventsOf(votes) };
  const first = analyze(input);
  const before = {
    participantIds: first.participants.ids,
    x: first.participants.x.map((x) => -x),
    y: first.participants.y,
    // Keys 3 and 5, the other way round.
    group: first.participants.group.map((group) => (group < 0 ? -1 : 5 - 2 * group)),
  };

  it('groups keep their keys and people their sides', () => {
    const again = analyze({ ...input, previous: before });
    expect(again.groups.map(({ key, continues }) => [key, continues])).toEqual([
      [5, true],
      [3, true],
    ]);
    expect([...again.participants.x]).toEqual([...before.x]);
    expect([...again.participants.y]).toEqual([...before.y]);
    expect(again.participants.group).toEqual(first.participants.group);
  });

  it('and after a few more votes', () => {
    const more = [...votes, ...everybody(8, 14, (p, s) => ((p + s) % 2 === 0 ? 1 : -1))];
    const again = analyze({ events: eventsOf(more), previous: before });
    expect(again.groups.map(({ key, continues }) => [key, continues]).sort()).toEqual([
      [3, true],
      [5, true],
    ]);
  });

  it('the first run needs none', () => {
    expect(exactly(analyze({ ...input, previous: null }))).toBe(exactly(first));
  });
});
