import type { AnalysisInput, AnalysisResult } from '../../../scripts/lib/analysis/analyze.ts';
import type { VoteEvents } from '../../../scripts/lib/analysis/votes.ts';
import { createRandom, type Random } from '../../../scripts/lib/demo-random.ts';
import type { Vote } from './dense.ts';

/** Events of votes, in this order. */
export function eventsOf(votes: Vote[]): VoteEvents {
  return {
    participants: Float64Array.from(votes, ({ participant }) => participant),
    statements: Float64Array.from(votes, ({ statement }) => statement),
    values: Int8Array.from(votes, ({ value }) => value),
  };
}

/** Two camps of opposite minds with some noise: groups that anybody would find. */
export function twoCamps(participants: number, statements: number, seed = 1): Vote[] {
  const random = createRandom(seed);
  const votes: Vote[] = [];
  for (let participant = 0; participant < participants; participant += 1) {
    for (let statement = 0; statement < statements; statement += 1) {
      if (random.chance(0.3)) continue;
      const side = (participant + statement) % 2 === 0 ? 1 : -1;
      const value = random.chance(0.1) ? 0 : random.chance(0.15) ? -side : side;
      votes.push({ participant, statement, value: value as Vote['value'] });
    }
  }
  return votes;
}

/** Everything in a result but the times it took, with every number to its last bit. */
export function exactly(result: AnalysisResult): string {
  const { timings: _, ...rest } = result;
  return JSON.stringify(rest, (__, value: unknown) => {
    if (value instanceof Float64Array) {
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
    }
    if (ArrayBuffer.isView(value)) return [...(value as Int8Array)];
    if (typeof value === 'number' && !Number.isInteger(value)) return `${value}`;
    return value;
  });
}

/** Events in another order. */
export function shuffled({ participants, statements, values, times }: VoteEvents, random: Random) {
  const order = Array.from(values.keys());
  random.shuffle(order);
  return {
    participants: Float64Array.from(order, (at) => participants[at] as number),
    statements: Float64Array.from(order, (at) => statements[at] as number),
    values: Int8Array.from(order, (at) => values[at] as number),
    ...(times && { times: Float64Array.from(order, (at) => times[at] as number) }),
  };
}

/** New ids for old: a random permutation of multiples of 7, far from the old ones. */
export function renaming(ids: Iterable<number>, random: Random): Map<number, number> {
  const old = [...new Set(ids)];
  const fresh = old.map((_, at) => 1_000_003 + 7 * at);
  random.shuffle(fresh);
  return new Map(old.map((id, at) => [id, fresh[at] as number]));
}

export interface Renaming {
  participants: Map<number, number>;
  statements: Map<number, number>;
}

/** The same input with other ids. */
export function renamed(input: AnalysisInput, { participants, statements }: Renaming) {
  const of = (id: number) => statements.get(id) as number;
  return {
    ...input,
    events: {
      ...input.events,
      participants: input.events.participants.map((id) => participants.get(id) as number),
      statements: input.events.statements.map(of),
    },
    moderated: [...(input.moderated ?? [])].filter((id) => statements.has(id)).map(of),
    ...(input.texts && {
      texts: new Map(
        [...input.texts].filter(([id]) => statements.has(id)).map(([id, text]) => [of(id), text]),
      ),
    }),
  };
}

/**
 * What an analysis says of every participant and statement, by id: with `back`, by the ids that they
 * had before they were renamed.
 */
export function byId(result: AnalysisResult, back?: Renaming) {
  const inverted = (map?: Map<number, number>) => {
    const inverse = new Map([...(map ?? [])].map(([old, fresh]) => [fresh, old]));
    return (id: number) => (back === undefined ? id : (inverse.get(id) as number));
  };
  const participant = inverted(back?.participants);
  const statement = inverted(back?.statements);
  const { participants, statements, counts } = result;
  const column = (at: number) => statement(statements.ids[at] as number);
  return {
    outcome: result.outcome,
    singularValues: result.singularValues,
    candidates: result.candidates,
    groups: result.groups,
    participants: new Map(
      Array.from(participants.ids, (id, at) => [
        participant(id),
        [participants.x[at], participants.y[at], participants.group[at], participants.votes[at]],
      ]),
    ),
    statements: new Map(
      Array.from(statements.ids, (id, at) => [
        statement(id),
        [
          statements.center[at],
          statements.axes[0][at],
          statements.axes[1][at],
          statements.extremity[at],
          statements.priority[at],
          statements.consensusAgree[at],
          statements.consensusDisagree[at],
          statements.standing[at],
          statements.divisiveness[at],
          ...Array.from({ length: counts.groups }, (_, group) => {
            const cell = group * counts.columns + at;
            return [counts.agrees[cell], counts.disagrees[cell], counts.votes[cell]];
          }),
        ],
      ]),
    ),
    representatives: result.representatives.map(({ selected, sufficient }) => ({
      selected: selected.map((it) => ({ ...it, column: column(it.column) })),
      sufficient: sufficient.map((it) => ({ ...it, column: column(it.column) })),
    })),
    consensus: {
      agree: result.consensus.agree.map((it) => ({ ...it, column: column(it.column) })),
      disagree: result.consensus.disagree.map((it) => ({ ...it, column: column(it.column) })),
    },
  };
}
