import type { AnalysisInput } from '../lib/analysis/analyze.ts';
import { createRandom } from '../lib/demo-random.ts';

/** How large a made-up conversation is. */
export interface ConversationSize {
  participants: number;
  statements: number;
  /** At least the larger of the two: everybody votes, and every statement has a vote. */
  votes: number;
}

/** The size at which a dense implementation takes a minute and 17 GB. */
export const LARGE: ConversationSize = { participants: 6_000, statements: 19_200, votes: 113_000 };

/** Camps that the participants belong to; opinions differ between them, and a little within. */
const CAMPS = 3;
/** One statement in so many is moderated out. */
const MODERATED = 1_000;

/**
 * A made-up conversation, the same for the same size and seed: camps that agree with different
 * statements, a few people who vote a lot and many who vote little, statements of different
 * popularity, some passes, some statements moderated out. Ids of participants begin at 1,000,000.
 */
export function makeConversation(
  { participants, statements, votes }: ConversationSize,
  seed = 1,
): AnalysisInput {
  const random = createRandom(seed);
  const camp = Array.from({ length: participants }, () => random.below(CAMPS));
  const approval = Array.from({ length: statements * CAMPS }, () => {
    return (random.chance(0.5) ? 0.1 : 0.9) + 0.16 * (random.next() - 0.5);
  });
  // About 1/u: a few cast, and a few get, a good part of all votes.
  const skewed = () => 1 / (0.02 + random.next());
  const pickParticipant = weighted(participants, skewed);
  const pickStatement = weighted(statements, skewed);

  const cast = new Set<number>();
  const events = {
    participants: new Float64Array(votes),
    statements: new Float64Array(votes),
    values: new Int8Array(votes),
  };
  const vote = (participant: number, statement: number): void => {
    const cell = participant * statements + statement;
    if (cast.has(cell)) return;
    const at = cast.size;
    cast.add(cell);
    const agrees = approval[statement * CAMPS + camp[participant]!]!;
    events.participants[at] = 1_000_000 + participant;
    events.statements[at] = 1 + statement;
    events.values[at] = random.chance(0.15) ? 0 : random.chance(agrees) ? 1 : -1;
  };
  for (let at = 0; at < Math.max(participants, statements); at += 1) {
    vote(
      at < participants ? at : pickParticipant(random.next()),
      at < statements ? at : pickStatement(random.next()),
    );
  }
  while (cast.size < votes) vote(pickParticipant(random.next()), pickStatement(random.next()));
  const moderated = [];
  for (let at = MODERATED; at <= statements; at += MODERATED) moderated.push(at);
  return { events, moderated };
}

/** A choice among `count` by weights, given a number from 0 to 1. */
function weighted(count: number, weight: () => number): (place: number) => number {
  const until = new Float64Array(count);
  let sum = 0;
  for (let at = 0; at < count; at += 1) {
    sum += weight();
    until[at] = sum;
  }
  return (place) => {
    const wanted = place * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (until[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
