import {
  type GroupCounts,
  oneProportionTest,
  probability,
  SIGNIFICANT,
  twoProportionTest,
} from './statistics.ts';

/** A statement that tells a group from the others, and by which votes. */
export interface Representative {
  column: number;
  direction: 'agree' | 'disagree';
  /** The group's votes of that direction, and all its votes on the statement. */
  successes: number;
  trials: number;
  /** Probability of such a vote in the group. */
  probability: number;
  /** z score: does more than half of the group vote so? */
  probabilityTest: number;
  /** Probability of such a vote in the group over that among all others. */
  ratio: number;
  /** z score: does the group vote so more often than the others? */
  ratioTest: number;
  /** Whether it is the statement that the group agrees with best. */
  bestAgree: boolean;
}

/** What represents a group. */
export interface GroupRepresentatives {
  /** At most five, those that the group agrees with first. */
  selected: Representative[];
  /** Every statement that tells the group from the others beyond chance, the strongest first. */
  sufficient: Representative[];
}

const SELECTED = 5;

/** The group's numbers on one statement, for agreeing and for disagreeing. */
interface Tested {
  column: number;
  agrees: number;
  disagrees: number;
  votes: number;
  pa: number;
  pd: number;
  pat: number;
  pdt: number;
  ra: number;
  rd: number;
  rat: number;
  rdt: number;
}

const NOTHING_TESTED: Tested = {
  column: 0,
  agrees: 0,
  disagrees: 0,
  votes: 0,
  pa: 0,
  pd: 0,
  pat: 0,
  pdt: 0,
  ra: 0,
  rd: 0,
  rat: 0,
  rdt: 0,
};

/**
 * The statements that represent each group, as Polis selects them (Small et al. 2021).
 *
 * With A agrees, D disagrees and N votes of the group, A', D', N' of all other groups together:
 * p_a = (A + 1)/(N + 2), pat its one-proportion test, r_a = p_a / ((A' + 1)/(N' + 2)), rat the
 * two-proportion test of A/N against A'/N'; with D likewise p_d, pdt, r_d, rdt. A statement is
 * sufficient when both of its tests are significant in one direction. Selected are the statement
 * that the group agrees with best, then the sufficient ones by r·rt·p·pt, five in all; without any
 * sufficient one the best there is.
 *
 * Zeroed statements represent nobody. Statements are taken in the order of the columns.
 *
 * @param together the counts of all groups together.
 */
export function representatives(
  counts: GroupCounts,
  together: GroupCounts,
  zeroed: Uint8Array,
): GroupRepresentatives[] {
  return Array.from({ length: counts.groups }, (_, group) =>
    ofGroup(counts, together, zeroed, group),
  );
}

function ofGroup(
  counts: GroupCounts,
  together: GroupCounts,
  zeroed: Uint8Array,
  group: number,
): GroupRepresentatives {
  const sufficient: Tested[] = [];
  let bestAgree: Tested | null = null;
  let best: Tested | null = null;
  // One object for all statements: only those that are kept are worth another.
  const tested = { ...NOTHING_TESTED };
  for (let column = 0; column < counts.columns; column += 1) {
    if (zeroed[column] === 1) continue;
    testStatement(counts, together, group, column, tested);
    const { pat, pdt, rat, rdt } = tested;
    if ((rat > SIGNIFICANT && pat > SIGNIFICANT) || (rdt > SIGNIFICANT && pdt > SIGNIFICANT)) {
      sufficient.push({ ...tested });
    }
    if (beatsBestAgree(tested, bestAgree)) bestAgree = { ...tested };
    if (best === null || Math.max(rat, rdt) > Math.max(best.rat, best.rdt)) best = { ...tested };
  }
  const ordered = sufficient
    .map((it) => finalise(it, it.column === bestAgree?.column))
    .sort((a, b) => strength(b) - strength(a));
  return { selected: select(ordered, bestAgree, best), sufficient: ordered };
}

function select(
  sufficient: Representative[],
  bestAgree: Tested | null,
  best: Tested | null,
): Representative[] {
  const first = bestAgree === null ? [] : [finalise(bestAgree, true)];
  if (sufficient.length === 0) {
    if (bestAgree !== null) return first;
    return best === null ? [] : [finalise(best, false)];
  }
  const others = sufficient.filter(({ bestAgree: isBest }) => !isBest);
  const selected = [...first, ...others].slice(0, SELECTED);
  return [
    ...selected.filter(({ direction }) => direction === 'agree'),
    ...selected.filter(({ direction }) => direction === 'disagree'),
  ];
}

function testStatement(
  counts: GroupCounts,
  together: GroupCounts,
  group: number,
  column: number,
  result: Tested,
): void {
  const at = group * counts.columns + column;
  const agrees = counts.agrees[at]!;
  const disagrees = counts.disagrees[at]!;
  const votes = counts.votes[at]!;
  const otherAgrees = together.agrees[column]! - agrees;
  const otherDisagrees = together.disagrees[column]! - disagrees;
  const otherVotes = together.votes[column]! - votes;
  result.column = column;
  result.agrees = agrees;
  result.disagrees = disagrees;
  result.votes = votes;
  result.pa = probability(agrees, votes);
  result.pd = probability(disagrees, votes);
  result.pat = oneProportionTest(agrees, votes);
  result.pdt = oneProportionTest(disagrees, votes);
  result.ra = result.pa / probability(otherAgrees, otherVotes);
  result.rd = result.pd / probability(otherDisagrees, otherVotes);
  result.rat = twoProportionTest(agrees, votes, otherAgrees, otherVotes);
  result.rdt = twoProportionTest(disagrees, votes, otherDisagrees, otherVotes);
}

/**
 * Whether a statement takes the place of the one that the group agreed with best so far: by
 * r_a·rat·p_a·pat if that one is agreed with more than among the others, else by p_a·pat.
 */
function beatsBestAgree(tested: Tested, current: Tested | null): boolean {
  if (tested.agrees === 0 && tested.disagrees === 0) return false;
  if (current === null) {
    return tested.pat > SIGNIFICANT || (tested.ra > 1 && tested.pa > 0.5);
  }
  if (current.ra > 1) {
    return (
      tested.ra * tested.rat * tested.pa * tested.pat >
      current.ra * current.rat * current.pa * current.pat
    );
  }
  return tested.pa * tested.pat > current.pa * current.pat;
}

function finalise(tested: Tested, bestAgree: boolean): Representative {
  const agree = tested.rat > tested.rdt;
  return {
    column: tested.column,
    direction: agree ? 'agree' : 'disagree',
    successes: agree ? tested.agrees : tested.disagrees,
    trials: tested.votes,
    probability: agree ? tested.pa : tested.pd,
    probabilityTest: agree ? tested.pat : tested.pdt,
    ratio: agree ? tested.ra : tested.rd,
    ratioTest: agree ? tested.rat : tested.rdt,
    bestAgree,
  };
}

function strength({ ratio, ratioTest, probability: p, probabilityTest }: Representative): number {
  return ratio * ratioTest * p * probabilityTest;
}
