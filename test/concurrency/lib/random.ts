/** A seeded source of choices: the same seed makes the same choices on every machine. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Picks an item with probability proportional to its weight. */
  weighted<T extends { weight: number }>(items: readonly T[]): T;
  /** A source of its own, that does not depend on how much this one is used. */
  fork(name: string): Random;
}

/** xoshiro128** (Blackman and Vigna, 2018), its state filled from the seed by splitmix32. */
export function createRandom(seed: string): Random {
  let mix = 0x9e3779b9;
  for (const character of seed) mix = Math.imul(mix ^ character.charCodeAt(0), 0x85ebca6b);
  const state = new Uint32Array(4);
  for (let i = 0; i < 4; i += 1) {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    state[i] = z ^ (z >>> 15);
  }
  const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));

  const random: Random = {
    next() {
      const [a = 0, b = 0, c = 0, d = 0] = state;
      const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
      const third = c ^ a;
      const fourth = d ^ b;
      state[1] = b ^ third;
      state[0] = a ^ fourth;
      state[2] = third ^ (b << 9);
      state[3] = rotate(fourth, 11);
      return result / 2 ** 32;
    },
    between: (low, high) => low + Math.floor(random.next() * (high - low + 1)),
    chance: (probability) => random.next() < probability,
    pick: <T>(items: readonly T[]) => items[Math.floor(random.next() * items.length)] as T,
    weighted<T extends { weight: number }>(items: readonly T[]) {
      let left = random.next() * items.reduce((sum, item) => sum + item.weight, 0);
      for (const item of items) {
        left -= item.weight;
        if (left < 0) return item;
      }
      return items.at(-1) as T;
    },
    fork: (name) => createRandom(`${seed}/${name}`),
  };
  return random;
}

/**
 * The seed of a run: `PROOF_SEED`, else a new one. Whoever uses it prints it, so that a failure can
 * be replayed: the transactions are then the same; how they interleave is up to the machine.
 */
export function runSeed(): string {
  return process.env.PROOF_SEED ?? Math.floor(Math.random() * 2 ** 32).toString(36);
}
