/*
 * How made-up things are spread over others: counts that fall with a rank, different members, all
 * reproducible and linear in what they give.
 */
import { createRandom, type Random } from './demo-random.ts';

/** A generator of its own for one thing of a kind: things can be made in any order, or again. */
export function randomFor(batch: number, kind: number, index = 0): Random {
  return createRandom(Math.imul(batch, 0x2545f491) + Math.imul(kind, 0x6c8e9cf5) + index * 7_919);
}

/**
 * Shares `total` among `size` items as rank to the power of -0.75, each at most `cap`; who has
 * which rank is drawn. The sum is `total`, or `size * cap` if that is less.
 */
export function spread(random: Random, total: number, size: number, cap: number): Uint32Array {
  const counts = new Uint32Array(size);
  const wanted = Math.min(total, size * cap);
  if (wanted <= 0) return counts;
  const ranks = Array.from({ length: size }, (_, index) => index);
  random.shuffle(ranks);
  const weight = (rank: number) => 1 / (Math.sqrt(rank + 1) * Math.sqrt(Math.sqrt(rank + 1)));
  // The first ones get the cap, as long as their share is more than that.
  let rest = 0;
  for (let rank = 0; rank < size; rank += 1) rest += weight(rank);
  let capped = 0;
  let left = wanted;
  while (capped < size && left * weight(capped) > cap * rest) {
    left -= cap;
    rest -= weight(capped);
    capped += 1;
  }
  let ideal = 0;
  let given = 0;
  for (let rank = 0; rank < size; rank += 1) {
    let count = cap;
    if (rank >= capped) {
      ideal += (left * weight(rank)) / rest;
      count = Math.min(cap, Math.round(ideal) - given);
      given += count;
    }
    counts[ranks[rank] as number] = count;
  }
  // What rounding has left over goes to whoever has room.
  let missing = wanted - counts.reduce((sum, count) => sum + count, 0);
  for (let index = 0; missing > 0; index = (index + 1) % size) {
    if ((counts[index] as number) >= cap) continue;
    counts[index] = (counts[index] as number) + 1;
    missing -= 1;
  }
  return counts;
}

/** Draws in a row that give nothing new: then nothing new is to be expected. */
const MOST_MISSES = 10_000;

/** A number below `limit`, the low ones more often: the active core. */
export function skewed(random: Random, limit: number): number {
  const u = random.next();
  return Math.floor(limit * (random.chance(0.5) ? u * u * u : u));
}

/**
 * So many different numbers below `limit`, without those excluded, in the order drawn; fewer where
 * there are hardly more.
 */
export function distinct(
  random: Random,
  count: number,
  limit: number,
  excluded: (candidate: number) => boolean = () => false,
): number[] {
  const chosen = new Set<number>();
  for (let misses = 0; chosen.size < count && misses < MOST_MISSES; ) {
    const candidate = skewed(random, limit);
    if (excluded(candidate) || chosen.has(candidate)) misses += 1;
    else {
      chosen.add(candidate);
      misses = 0;
    }
  }
  return [...chosen];
}

/** `base` times the scale, and at least `least`. */
export function scaled(base: number, scale: number, least = 1): number {
  return Math.max(least, Math.round(base * scale));
}
