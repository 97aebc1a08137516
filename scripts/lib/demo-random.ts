/** Random numbers that are the same on every machine and in every version of Node. */
export interface Random {
  /** At least 0 and less than 1. */
  next(): number;
  /** A whole number of at least 0 and less than `limit`. */
  below(limit: number): number;
  /** True this often, 0 to 1. */
  chance(probability: number): boolean;
  /** Normally distributed around 0 with deviation 1. */
  normal(): number;
  pick<T>(items: readonly T[]): T;
  /** Shuffles in place. */
  shuffle<T>(items: T[]): void;
}

/**
 * A generator for `seed`. It is a Weyl sequence through the 32-bit finalizer of MurmurHash3: good
 * enough to look real, not for statistics and never for secrets.
 */
export function createRandom(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let bits = state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    // Sum of uniform numbers: close enough to normal, and without the logarithm that may differ.
    normal: () => (next() + next() + next() + next() - 2) * Math.sqrt(3),
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    shuffle(items) {
      for (let i = items.length - 1; i > 0; i -= 1) {
        const j = below(i + 1);
        const kept = items[i] as (typeof items)[number];
        items[i] = items[j] as (typeof items)[number];
        items[j] = kept;
      }
    },
  };
}
