import { setImmediate as turn } from 'node:timers/promises';

/**
 * Asks again and again until the answer is one that `isReached` takes, and returns it: a test waits
 * for what happens, not for a clock. Fails after `timeout` ms with the last answer.
 */
export async function until<T>(
  ask: () => Promise<T> | T,
  isReached: (answer: T) => boolean,
  timeout = 15_000,
): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (isReached(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`never reached: ${JSON.stringify(answer)}`);
    await turn();
  }
}
