import { canonicalOrder } from './canonical-order.ts';
import { principalComponents } from './components.ts';
import {
  type Consensus,
  consensusStatements,
  groupAwareConsensus,
  groupStanding,
} from './consensus.ts';
import { type Candidate, groupPoints } from './groups.ts';
import { groupLabels } from './labels.ts';
import { matchGroups, type PreviousResult, turnedAxes } from './matching.ts';
import { groupedParticipants } from './participants.ts';
import { priorities } from './priority.ts';
import { projectParticipants, statementExtremity } from './projection.ts';
import { type GroupRepresentatives, representatives } from './representative.ts';
import { countByGroup, type GroupCounts } from './statistics.ts';
import {
  buildVoteTable,
  inverse,
  permuteMatrix,
  type StatementMarks,
  type VoteEvents,
  type VoteTable,
} from './votes.ts';

/** What the analysis of a conversation starts from. */
export interface AnalysisInput extends StatementMarks {
  events: VoteEvents;
  /** Texts of statements, to name the groups by; without them groups have no labels. */
  texts?: ReadonlyMap<number, string>;
  /** The result published last, so that groups keep their keys and axes their direction. */
  previous?: PreviousResult | null;
}

/**
 * How an analysis ended. Whatever it is, there are positions as far as there are votes, and what can
 * be said without groups.
 */
export type AnalysisOutcome =
  | 'grouped'
  | 'no_votes'
  | 'not_enough_participants'
  | 'not_enough_opinions'
  | 'no_groups';

export interface OpinionGroup {
  /** Which of the numbers 0 to 5 it goes by. */
  key: number;
  /** Whether it is the earlier group of that key. */
  continues: boolean;
  size: number;
  /** Words that tell it from the others; may be empty. */
  label: string;
}

export interface AnalysisResult {
  outcome: AnalysisOutcome;
  /** Live and zeroed votes that were counted, each participant's latest on a statement. */
  votes: number;
  /** Of everybody with a vote, ascending by id. */
  participants: {
    ids: Float64Array;
    x: Float64Array;
    y: Float64Array;
    /** Index into `groups`, −1 for who is in none. */
    group: Int8Array;
    votes: Int32Array;
    /** The place of each in canonical order, which says nothing of who they are. */
    place: Int32Array;
  };
  /** How many of them are in a group, or would be if there were groups. */
  members: number;
  /** Of every statement with a vote, ascending by id. */
  statements: {
    ids: Float64Array;
    center: Float64Array;
    axes: [Float64Array, Float64Array];
    extremity: Float64Array;
    priority: Float64Array;
    consensusAgree: Float64Array;
    consensusDisagree: Float64Array;
    /** See groupStanding. */
    standing: Uint8Array;
    divisiveness: Float64Array;
  };
  singularValues: [number, number];
  /** The largest first. */
  groups: OpinionGroup[];
  counts: GroupCounts;
  representatives: GroupRepresentatives[];
  consensus: Consensus;
  candidates: Candidate[];
  /** Milliseconds of each stage. */
  timings: Record<string, number>;
}

/** Participants without whom there are not two groups of two. */
const MIN_PARTICIPANTS = 4;
const MIN_STATEMENTS = 2;

/**
 * Analyses a conversation: components, positions, opinion groups, what represents each, what unites
 * them, and which statements are worth asking about next.
 *
 * The result depends on the votes alone: the same to the last bit for any order or numbering of the
 * input (but for the times that it took).
 */
export function analyze(input: AnalysisInput): AnalysisResult {
  const { stage, timings } = stopwatch();
  const table = stage('matrix', () => buildVoteTable(input.events, input));
  const order = stage('order', () => canonicalOrder(table));
  const matrix = stage('order', () => permuteMatrix(table, order.rows, order.columns));
  const components = stage('components', () => principalComponents(matrix));
  const { points, extremity } = stage('projection', () => ({
    points: projectParticipants(matrix, components),
    extremity: statementExtremity(matrix, components),
  }));
  const members = groupedParticipants(matrix);
  const outcome = shortage(table, members.length);
  const grouping = stage('groups', () =>
    groupPoints(
      outcome !== null
        ? { x: new Float64Array(0), y: new Float64Array(0) }
        : { x: select(points.x, members), y: select(points.y, members) },
    ),
  );

  const group = new Int8Array(table.rows).fill(-1);
  const isMember = new Int8Array(table.rows).fill(-1);
  for (const [at, row] of members.entries()) {
    isMember[order.rows[row]!] = 0;
    if (grouping.k > 0) group[order.rows[row]!] = grouping.labels[at]!;
  }
  const participants = {
    ids: table.participantIds,
    x: spread(points.x, order.rows),
    y: spread(points.y, order.rows),
    group,
    votes: Int32Array.from(table.participantIds, (_, row) => {
      return table.rowStart[row + 1]! - table.rowStart[row]!;
    }),
    place: inverse(order.rows),
  };
  const axes: [Float64Array, Float64Array] = [
    spread(components.axes[0], order.columns),
    spread(components.axes[1], order.columns),
  ];
  const turned = turnedAxes(participants.ids, participants, input.previous ?? null);
  if (turned.x) turn(participants.x, axes[0]);
  if (turned.y) turn(participants.y, axes[1]);

  return stage('statistics', () => {
    const counts = countByGroup(table, group, grouping.k);
    const together = countByGroup(table, isMember, 1);
    const all = countByGroup(table, new Int8Array(table.rows), 1);
    const consensus = groupAwareConsensus(counts);
    const found = representatives(counts, together, table.zeroed);
    const texts = input.texts;
    const labels =
      texts === undefined
        ? []
        : stage('labels', () =>
            groupLabels(
              found,
              counts,
              together,
              Array.from(table.statementIds, (id) => texts.get(id) ?? ''),
            ),
          );
    const spreadExtremity = spread(extremity, order.columns);
    return {
      outcome: outcome ?? (grouping.k > 0 ? 'grouped' : 'no_groups'),
      votes: table.rowColumn.length,
      participants,
      members: members.length,
      statements: {
        ids: table.statementIds,
        center: spread(components.center, order.columns),
        axes,
        extremity: spreadExtremity,
        priority: priorities(together, spreadExtremity, table.meta),
        consensusAgree: consensus.agree,
        consensusDisagree: consensus.disagree,
        ...groupStanding(counts, table.zeroed),
      },
      singularValues: components.singularValues,
      groups: matchGroups(participants.ids, group, grouping.k, input.previous ?? null).map(
        (identity, at) => ({
          ...identity,
          size: grouping.sizes[at]!,
          label: labels[at] ?? '',
        }),
      ),
      counts,
      representatives: found,
      consensus: consensusStatements(all, table.zeroed),
      candidates: grouping.candidates,
      timings,
    };
  });
}

/** Why there can be no groups; null if there may be. */
function shortage(table: VoteTable, members: number): AnalysisOutcome | null {
  if (table.rowColumn.length === 0) return 'no_votes';
  if (members < MIN_PARTICIPANTS) return 'not_enough_participants';
  const live = table.zeroed.reduce((sum, flag) => sum + 1 - flag, 0);
  return live < MIN_STATEMENTS ? 'not_enough_opinions' : null;
}

const select = (values: Float64Array, places: Int32Array) =>
  Float64Array.from(places, (place) => values[place]!);

/** Values in canonical order, back in the table's. */
function spread(values: Float64Array, order: Int32Array): Float64Array {
  const result = new Float64Array(values.length);
  for (let at = 0; at < values.length; at += 1) result[order[at]!] = values[at]!;
  return result;
}

function turn(...vectors: Float64Array[]): void {
  for (const vector of vectors) {
    for (let at = 0; at < vector.length; at += 1) vector[at] = 0 - vector[at]!;
  }
}

/** Measures stages; one inside another is taken out of the outer one. */
function stopwatch() {
  const timings: Record<string, number> = {};
  let inner = 0;
  function stage<T>(name: string, work: () => T): T {
    const outer = inner;
    inner = 0;
    const started = performance.now();
    const result = work();
    const took = performance.now() - started;
    timings[name] = (timings[name] ?? 0) + took - inner;
    inner = outer + took;
    return result;
  }
  return { stage, timings };
}
