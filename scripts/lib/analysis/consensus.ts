import { type GroupCounts, oneProportionTest, probability, SIGNIFICANT } from './statistics.ts';

/** A statement that most of all participants agree, or disagree, with. */
export interface ConsensusStatement {
  column: number;
  successes: number;
  trials: number;
  probability: number;
  probabilityTest: number;
}

export interface Consensus {
  agree: ConsensusStatement[];
  disagree: ConsensusStatement[];
}

const SELECTED = 5;

/**
 * The statements on which the conversation as a whole is of one mind, as Polis selects them: those
 * with p > 1/2 and a significant one-proportion test, by p·test, the five greatest for agreeing and
 * for disagreeing (Small et al. 2021). Zeroed statements are left out.
 *
 * @param all the votes of all participants, grouped or not.
 */
export function consensusStatements(all: GroupCounts, zeroed: Uint8Array): Consensus {
  return {
    agree: strongest(all.agrees, all.votes, zeroed),
    disagree: strongest(all.disagrees, all.votes, zeroed),
  };
}

function strongest(
  successes: Int32Array,
  votes: Int32Array,
  zeroed: Uint8Array,
): ConsensusStatement[] {
  const found: ConsensusStatement[] = [];
  for (let column = 0; column < votes.length; column += 1) {
    if (zeroed[column] === 1) continue;
    const p = probability(successes[column]!, votes[column]!);
    const test = oneProportionTest(successes[column]!, votes[column]!);
    if (p > 0.5 && test > SIGNIFICANT) {
      found.push({
        column,
        successes: successes[column]!,
        trials: votes[column]!,
        probability: p,
        probabilityTest: test,
      });
    }
  }
  const strength = (it: ConsensusStatement) => it.probability * it.probabilityTest;
  return found.sort((a, b) => strength(b) - strength(a)).slice(0, SELECTED);
}

/**
 * Group-aware consensus: how likely a member of every group casts such a vote,
 * Π_g (s_g + 1) / (N_g + 2). A statement that one group rejects is near 0 however large the others
 * are. For agreeing and for disagreeing; zeroed statements included; 1 without groups.
 */
export function groupAwareConsensus({ groups, columns, votes, ...counts }: GroupCounts) {
  const product = (successes: Int32Array) => {
    const result = new Float64Array(columns).fill(1);
    for (let group = 0; group < groups; group += 1) {
      for (let column = 0; column < columns; column += 1) {
        const at = group * columns + column;
        result[column]! *= probability(successes[at]!, votes[at]!);
      }
    }
    return result;
  };
  return { agree: product(counts.agrees), disagree: product(counts.disagrees) };
}

/** How the groups stand to a statement. */
export interface GroupStanding {
  /**
   * 1: every group agrees; 2: every group disagrees; 3: divisive, one group agrees and another
   * disagrees; 0: none of these. A group agrees when more than half of it does, beyond chance.
   */
  standing: Uint8Array;
  /** How divisive: the greatest p_a(g)·p_d(h) of two groups g ≠ h. */
  divisiveness: Float64Array;
}

/**
 * Sorts statements into agreed, disagreed and divisive ones by each group's p and one-proportion
 * test (p > 1/2 and z > 1.2816, as for consensus). Divisiveness is the counterpart of group-aware
 * consensus: how likely a member of one group agrees and one of another disagrees. Zeroed statements
 * have no standing.
 */
export function groupStanding(counts: GroupCounts, zeroed: Uint8Array): GroupStanding {
  const { groups, columns } = counts;
  const standing = new Uint8Array(columns);
  const divisiveness = new Float64Array(columns);
  for (let column = 0; column < columns; column += 1) {
    if (zeroed[column] === 1) continue;
    let agreeing = 0;
    let disagreeing = 0;
    let greatest = 0;
    for (let group = 0; group < groups; group += 1) {
      const at = group * columns + column;
      const votes = counts.votes[at]!;
      if (isMajority(counts.agrees[at]!, votes)) agreeing += 1;
      if (isMajority(counts.disagrees[at]!, votes)) disagreeing += 1;
      const pa = probability(counts.agrees[at]!, votes);
      for (let other = 0; other < groups; other += 1) {
        const there = other * columns + column;
        const pd = probability(counts.disagrees[there]!, counts.votes[there]!);
        if (other !== group) greatest = Math.max(greatest, pa * pd);
      }
    }
    divisiveness[column] = greatest;
    if (agreeing > 0 && disagreeing > 0) standing[column] = 3;
    else if (groups > 0 && agreeing === groups) standing[column] = 1;
    else if (groups > 0 && disagreeing === groups) standing[column] = 2;
  }
  return { standing, divisiveness };
}

function isMajority(successes: number, votes: number): boolean {
  return probability(successes, votes) > 0.5 && oneProportionTest(successes, votes) > SIGNIFICANT;
}
