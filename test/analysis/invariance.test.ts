import { afterAll, describe, expect, it } from 'vitest';
import { type AnalysisInput, analyze } from '../../scripts/lib/analysis/analyze.ts';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import { removeFolders } from '../data/polis-export.ts';
import { byId, eventsOf, exactly, renamed, renaming, shuffled, twoCamps } from './lib/made-up.ts';
import { HAS_DATA, NAMES, readConversation } from './lib/real.ts';

/*
 * What must make no difference: to the last bit, because a result that flickers with the order of
 * rows would publish another picture of the same votes.
 */

const CONVERSATIONS: [string, () => Promise<AnalysisInput>][] = [
  ['made up', async () => ({ ...madeUp(), moderated: [2, 5] })],
  ...(HAS_DATA ? NAMES : []).map(
    (name) =>
      [name, async () => (await readConversation(name)).input] satisfies [
        string,
        () => Promise<AnalysisInput>,
      ],
  ),
];

afterAll(removeFolders);

describe.each(CONVERSATIONS)('%s', (_, read) => {
  it('two runs are identical to the byte', async () => {
    const input = await read();
    expect(exactly(analyze(input))).toBe(exactly(analyze(input)));
  });

  it('shuffled rows', async () => {
    const input = await read();
    // Equally late votes on one statement count by their order: with distinct times there are none.
    const times = distinctTimes(input.events);
    const events = { ...input.events, times };
    const other = { ...input, events: shuffled(events, createRandom(7)) };
    expect(exactly(analyze(other))).toBe(exactly(analyze({ ...input, events })));
  });

  it('renamed participants and statements', async () => {
    const input = await read();
    const random = createRandom(11);
    const names = {
      participants: renaming(input.events.participants, random),
      statements: renaming(input.events.statements, random),
    };
    expect(byId(analyze(renamed(input, names)), names)).toEqual(byId(analyze(input)));
  });

  it('duplicated events, and older votes that were changed later', async () => {
    const input = await read();
    const { participants, statements, values } = input.events;
    const times = distinctTimes(input.events);
    const n = values.length;
    const twice = (list: Float64Array) => Float64Array.from([...list, ...list, ...list]);
    const doubled = {
      participants: twice(participants),
      statements: twice(statements),
      // Once more the same, and once another vote before.
      values: Int8Array.from({ length: 3 * n }, (__, at) => {
        const value = values[at % n] as number;
        return at < 2 * n ? value : value === 1 ? -1 : value + 1;
      }),
      times: Float64Array.from({ length: 3 * n }, (__, at) => {
        return (times[at % n] as number) - (at < 2 * n ? 0 : 1e6);
      }),
    };
    const plain = { ...input, events: { ...input.events, times } };
    expect(exactly(analyze({ ...input, events: doubled }))).toBe(exactly(analyze(plain)));
  });
});

it('a vote that differs makes a difference', () => {
  const input = madeUp();
  const other = { events: { ...input.events, values: input.events.values.slice() } };
  other.events.values[3] = other.events.values[3] === 0 ? 1 : 0;
  expect(exactly(analyze(other))).not.toBe(exactly(analyze(input)));
});

function madeUp(): AnalysisInput {
  return { events: eventsOf(twoCamps(40, 12)) };
}

/** Times that keep the order of the given ones, and of the rows where these are equal. */
function distinctTimes({ values, times }: AnalysisInput['events']): Float64Array {
  const at = (row: number) => times?.[row] ?? row;
  const order = Array.from(values.keys()).sort((a, b) => at(a) - at(b) || a - b);
  const distinct = new Float64Array(values.length);
  for (const [place, row] of order.entries()) distinct[row] = place;
  return distinct;
}
