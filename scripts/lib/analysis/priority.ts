import { type GroupCounts, probability } from './statistics.ts';

/** The priority of statements about the conversation itself. */
const META = 49;

/**
 * How much it is worth to show each statement to somebody who has not voted on it: 0 and more.
 *
 * importance = (1 − (P + 1)/(N + 2))·(1 + E)·(A + 1)/(N + 2) with A agrees, P passes and N votes of
 * those who are grouped and E the extremity; priority = (importance·(1 + 8·2^(−N/5)))², so that a
 * statement with few votes comes first until something is known of it; 7² for meta statements
 * (classic Polis' comment routing).
 *
 * @param together the counts of all groups together.
 */
export function priorities(
  together: GroupCounts,
  extremity: Float64Array,
  meta: Uint8Array,
): Float64Array {
  const result = new Float64Array(together.columns);
  for (let column = 0; column < result.length; column += 1) {
    const votes = together.votes[column]!;
    const agrees = together.agrees[column]!;
    const passes = votes - agrees - together.disagrees[column]!;
    const importance =
      (1 - probability(passes, votes)) * (1 + extremity[column]!) * probability(agrees, votes);
    const scaled = importance * (1 + 8 * 2 ** (-votes / 5));
    result[column] = meta[column] === 1 ? META : scaled * scaled;
  }
  return result;
}
