import type { ClientBase } from 'pg';
import type { AnalysisInput, AnalysisResult } from './analysis/analyze.ts';
import type { Representative } from './analysis/representative.ts';
import {
  bigints,
  doubles,
  integers,
  readBigint,
  readBigints,
  readBinary,
  readDoubles,
  readSmallints,
  readTexts,
  smallints,
} from './pg-binary.ts';

/*
 * The analysis and its tables: what it starts from, read in one snapshot, and its result, written
 * in one statement.
 */

/** What an analysis starts from, and which request for one it covers. */
export interface Claim {
  conversationId: number;
  generation: number;
  /** When the votes were read, as Postgres writes it. */
  readAt: string;
  input: AnalysisInput;
}

/** Representative opinions kept of a group: nobody pages further. */
const REPRESENTATIVES_KEPT = 100;
/** Seconds from 1970, where JavaScript begins to count, to 2000, where Postgres does. */
const POSTGRES_EPOCH = 946_684_800;

/** Reads what an analysis starts from; null when there is no such conversation. */
export async function claimAnalysis(
  client: ClientBase,
  conversationId: number,
): Promise<Claim | null> {
  if (!Number.isSafeInteger(conversationId)) throw new RangeError(`${conversationId} is no id`);
  const rows = await readBinary(
    client,
    `select * from app_private.claim_analysis(${conversationId})`,
  );
  const row = rows[0];
  if (row === undefined) return null;
  const [generation, readAt, voters, voted, choices, opinions, contents, moderated, ...earlier] =
    row as [Buffer, Buffer, ...(Buffer | null)[]];
  const opinionIds = readBigints(opinions ?? null);
  const texts = readTexts(contents ?? null);
  const [earlierIds, earlierX, earlierY, earlierGroups] = earlier;
  return {
    conversationId,
    generation: readBigint(generation),
    readAt: timestamp(readAt),
    input: {
      events: {
        participants: readBigints(voters ?? null),
        statements: readBigints(voted ?? null),
        values: readSmallints(choices ?? null),
      },
      moderated: [...readBigints(moderated ?? null)],
      texts: new Map(Array.from(opinionIds, (id, at) => [id, texts[at] as string])),
      previous: earlierIds
        ? byParticipant({
            participantIds: readBigints(earlierIds),
            x: readDoubles(earlierX ?? null),
            y: readDoubles(earlierY ?? null),
            group: readSmallints(earlierGroups ?? null, -1),
          })
        : null,
    },
  };
}

/** Microseconds from 2000, as text that keeps them. */
function timestamp(field: Buffer): string {
  const microseconds = field.readBigInt64BE(0) + BigInt(POSTGRES_EPOCH) * 1_000_000n;
  const whole = new Date(Number(microseconds / 1_000_000n) * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(microseconds % 1_000_000n).padStart(6, '0')}Z`;
}

type Previous = NonNullable<AnalysisInput['previous']>;

function byParticipant({ participantIds, x, y, group }: Previous): Previous {
  const order = Array.from(participantIds.keys()).sort(
    (a, b) => participantIds[a]! - participantIds[b]!,
  );
  return {
    participantIds: Float64Array.from(order, (at) => participantIds[at]!),
    x: Float64Array.from(order, (at) => x[at]!),
    y: Float64Array.from(order, (at) => y[at]!),
    group: Int8Array.from(order, (at) => group[at]!),
  };
}

/**
 * Writes a result and makes it the published one, in the client's transaction. Returns its id; null,
 * and nothing is written, when a result of a later request was published meanwhile, or the conversation is gone.
 */
export async function publishAnalysis(
  client: ClientBase,
  claim: Claim,
  result: AnalysisResult,
): Promise<number | null> {
  const { participants, statements, counts } = result;
  // Groups are told by their keys from here on, and points by their place.
  const byKey = result.groups.map((_, at) => at).sort((a, b) => keyOf(a) - keyOf(b));
  function keyOf(group: number): number {
    return result.groups[group]?.key as number;
  }
  const byPlace = new Int32Array(participants.ids.length);
  for (const [at, place] of participants.place.entries()) byPlace[place] = at;
  const placed = (values: ArrayLike<number>) => Array.from(byPlace, (at) => values[at]!);
  const spread = (of: (cell: number) => number) => {
    const values = new Int32Array(counts.groups * counts.columns);
    for (let column = 0; column < counts.columns; column += 1) {
      for (const [at, group] of byKey.entries()) {
        values[column * counts.groups + at] = of(group * counts.columns + column);
      }
    }
    return integers(values);
  };
  const silhouette = result.candidates.find(({ k }) => k === result.groups.length)?.silhouette;
  const { rows } = await client.query<{ run_id: string | null }>(
    `select app_private.publish_analysis(
      $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
      $21, $22, $23, $24, $25
    ) as run_id`,
    [
      claim.conversationId,
      claim.generation,
      claim.readAt,
      result.outcome,
      JSON.stringify({
        vote_count: result.votes,
        member_count: result.groups.length > 0 ? result.members : 0,
        silhouette: silhouette ?? null,
        details: {
          candidates: result.candidates,
          singularValues: result.singularValues,
          timings: result.timings,
        },
      }),
      smallints(byKey.map(keyOf)),
      integers(byKey.map((group) => result.groups[group]?.size as number)),
      byKey.map((group) => result.groups[group]?.label),
      byKey.map((group) => result.groups[group]?.continues),
      bigints(placed(participants.ids)),
      doubles(placed(participants.x)),
      doubles(placed(participants.y)),
      smallints(
        placed(participants.group).map((group) => (group < 0 ? -1 : keyOf(group))),
        -1,
      ),
      bigints(statements.ids),
      spread((cell) => counts.agrees[cell]!),
      spread((cell) => counts.disagrees[cell]!),
      spread((cell) => counts.votes[cell]! - counts.agrees[cell]! - counts.disagrees[cell]!),
      smallints(statements.standing),
      doubles(statements.consensusAgree),
      doubles(statements.consensusDisagree),
      doubles(statements.divisiveness),
      doubles(statements.extremity),
      doubles(statements.priority),
      JSON.stringify(
        result.representatives.flatMap(({ selected, sufficient }, group) => {
          const chosen = new Set(selected.map(({ column }) => column));
          const others = sufficient.filter(({ column }) => !chosen.has(column));
          return [...selected, ...others].slice(0, REPRESENTATIVES_KEPT).map((it, at) => ({
            ...representativeRow(it, statements.ids),
            group_key: keyOf(group),
            rank: at + 1,
            is_selected: at < selected.length,
          }));
        }),
      ),
      JSON.stringify(
        (['agree', 'disagree'] as const).flatMap((direction) =>
          result.consensus[direction].map((it, at) => ({
            direction,
            rank: at + 1,
            opinion_id: statements.ids[it.column],
            success_count: it.successes,
            vote_count: it.trials,
            probability: it.probability,
            probability_test: it.probabilityTest,
          })),
        ),
      ),
    ],
  );
  const runId = rows[0]?.run_id ?? null;
  return runId === null ? null : Number(runId);
}

function representativeRow(it: Representative, ids: Float64Array) {
  return {
    opinion_id: ids[it.column],
    direction: it.direction,
    is_best_agree: it.bestAgree,
    success_count: it.successes,
    vote_count: it.trials,
    probability: it.probability,
    probability_test: it.probabilityTest,
    ratio: it.ratio,
    ratio_test: it.ratioTest,
  };
}

/** Deletes the results of a conversation but the newest `keep`. */
export async function pruneAnalysis(
  client: ClientBase,
  conversationId: number,
  keep: number,
): Promise<void> {
  await client.query('select app_private.prune_analysis($1, $2)', [conversationId, keep]);
}
