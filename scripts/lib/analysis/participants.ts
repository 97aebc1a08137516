import type { VoteMatrix } from './votes.ts';

/** Votes that place a participant well enough to be grouped. */
const ENOUGH_VOTES = 7;
/** Participants that are grouped even when fewer have that many votes. */
const AT_LEAST = 15;

/**
 * The rows of those who are grouped, in ascending order: everybody with min(7, S) votes or more,
 * passes and votes on zeroed statements included. When these are fewer than 15, those with the most
 * votes are added (equally many: first in the order of the matrix) until they are 15, so that a
 * conversation that has just begun has groups too.
 *
 * Components are fitted to all participants; groups and their statistics are of these.
 */
export function groupedParticipants({ rows, columns, rowStart }: VoteMatrix): Int32Array {
  const votes = (row: number) => rowStart[row + 1]! - rowStart[row]!;
  const enough = Math.min(ENOUGH_VOTES, columns);
  const selected: number[] = [];
  for (let row = 0; row < rows; row += 1) if (votes(row) >= enough) selected.push(row);
  if (selected.length < Math.min(AT_LEAST, rows)) {
    const others: number[] = [];
    for (let row = 0; row < rows; row += 1) if (votes(row) < enough) others.push(row);
    others.sort((a, b) => votes(b) - votes(a) || a - b);
    selected.push(...others.slice(0, AT_LEAST - selected.length));
  }
  return Int32Array.from(selected).sort();
}
