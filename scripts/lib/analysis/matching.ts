import type { Points } from './projection.ts';

/** What an earlier run published: who stood where and in which group. */
export interface PreviousResult {
  /** Ascending. */
  participantIds: Float64Array;
  x: Float64Array;
  y: Float64Array;
  /** The key of each participant's group, −1 for who was in none. */
  group: Int8Array;
}

/** The identity of a group across runs. */
export interface GroupIdentity {
  /** Which of the numbers 0 to 5 the group goes by: its letter and its colour. */
  key: number;
  /** Whether it is the earlier group of that key, by its members, and keeps what was said of it. */
  continues: boolean;
}

/** As many keys as there can be groups. */
const KEYS = 6;
/** A group goes on as long as it and the earlier one share more than this part of all members. */
const CONTINUES_ABOVE = 0.5;

/**
 * Gives every group the key of the earlier group with which it shares the most members, so that
 * colours do not jump: of all ways to give keys the one with the greatest sum of shared members, the
 * first of equals; groups that share nobody with an earlier one get the smallest keys left.
 *
 * Whether a group is still the same is another question: if |A ∩ B| / |A ∪ B| > 1/2 (P. Jaccard
 * 1901), counted over participants who were grouped both times. At most one group can be that.
 *
 * @param group the group of each participant, from 0, or −1.
 */
export function matchGroups(
  participantIds: Float64Array,
  group: Int8Array,
  groups: number,
  previous: PreviousResult | null,
): GroupIdentity[] {
  const shared = new Int32Array(groups * KEYS);
  const size = new Int32Array(groups);
  const earlierSize = new Int32Array(KEYS);
  if (previous !== null) {
    forCommon(participantIds, previous.participantIds, (now, before) => {
      const current = group[now]!;
      const earlier = previous.group[before]!;
      if (current < 0 || earlier < 0) return;
      shared[current * KEYS + earlier]! += 1;
      size[current]! += 1;
      earlierSize[earlier]! += 1;
    });
  }
  return bestKeys(shared, groups).map((key, at) => {
    const both = shared[at * KEYS + key]!;
    const either = size[at]! + earlierSize[key]! - both;
    return { key, continues: both > CONTINUES_ABOVE * either };
  });
}

/** A key for every group with the greatest sum of `shared`: at most 6! ways, so all are tried. */
function bestKeys(shared: Int32Array, groups: number): number[] {
  let best: number[] = [];
  let most = -1;
  const keys: number[] = [];
  const tryFrom = (at: number, sum: number): void => {
    if (at === groups) {
      if (sum > most) {
        most = sum;
        best = [...keys];
      }
      return;
    }
    for (let key = 0; key < KEYS; key += 1) {
      if (keys.includes(key)) continue;
      keys.push(key);
      tryFrom(at + 1, sum + shared[at * KEYS + key]!);
      keys.pop();
    }
  };
  tryFrom(0, 0);
  return best;
}

/**
 * Whether the x and the y axis have to be turned round for people to stand where they stood before:
 * the sign of a component is arbitrary. True when the sum of products of old and new coordinates,
 * over those who are in both, is negative.
 */
export function turnedAxes(
  participantIds: Float64Array,
  points: Points,
  previous: PreviousResult | null,
): { x: boolean; y: boolean } {
  let x = 0;
  let y = 0;
  if (previous !== null) {
    forCommon(participantIds, previous.participantIds, (now, before) => {
      x += points.x[now]! * previous.x[before]!;
      y += points.y[now]! * previous.y[before]!;
    });
  }
  return { x: x < 0, y: y < 0 };
}

/** Calls `visit` with the places of every id that is in both ascending lists. */
function forCommon(
  a: Float64Array,
  b: Float64Array,
  visit: (inA: number, inB: number) => void,
): void {
  let inA = 0;
  let inB = 0;
  while (inA < a.length && inB < b.length) {
    const difference = a[inA]! - b[inB]!;
    if (difference === 0) visit(inA, inB);
    if (difference <= 0) inA += 1;
    if (difference >= 0) inB += 1;
  }
}
