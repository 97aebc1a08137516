import { afterAll, expect, it } from 'vitest';
import { LARGE, makeConversation } from '../../scripts/bench/analysis-data.ts';
import { analyze } from '../../scripts/lib/analysis/analyze.ts';
import { makeAnalysisThread } from '../../scripts/lib/analysis-thread.ts';
import { eventsOf, exactly, twoCamps } from './lib/made-up.ts';

const thread = makeAnalysisThread();
afterAll(() => thread.stop());

const input = { events: eventsOf(twoCamps(40, 12)), moderated: [3] };

it('computes what analyze computes, again and again', async () => {
  expect(exactly(await thread.run(input))).toBe(exactly(analyze(input)));
  const both = await Promise.all([thread.run(input), thread.run({ events: input.events })]);
  expect(both.map(exactly)).toEqual([
    exactly(analyze(input)),
    exactly(analyze({ events: input.events })),
  ]);
});

it('leaves the event loop free', async () => {
  const computing = thread.run(makeConversation(LARGE));
  let turns = 0;
  let done = false;
  void computing.finally(() => {
    done = true;
  });
  while (!done) {
    turns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // Held up, it would have turned once or twice.
  expect(turns).toBeGreaterThan(100);
  expect((await computing).votes).toBe(LARGE.votes);
});

it('passes on what goes wrong, and goes on', async () => {
  const broken = { events: { ...input.events, values: Int8Array.of(1) } };
  await expect(thread.run(broken)).rejects.toThrow(/differ in length/);
  expect((await thread.run(input)).outcome).toBe('grouped');
});

it('ends what is computed when it is aborted, and starts anew', async () => {
  const controller = new AbortController();
  const aborted = thread.run(makeConversation(LARGE), controller.signal);
  const refused = expect(aborted).rejects.toThrow('no longer wanted');
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort(new Error('no longer wanted'));
  await refused;
  expect((await thread.run(input)).outcome).toBe('grouped');
  await expect(thread.run(input, AbortSignal.abort(new Error('too late')))).rejects.toThrow(
    'too late',
  );
});

it('what is computed when it is stopped fails', async () => {
  const other = makeAnalysisThread();
  const computing = expect(other.run(makeConversation(LARGE))).rejects.toThrow(/thread ended/);
  await new Promise((resolve) => setImmediate(resolve));
  await other.stop();
  await computing;
});
