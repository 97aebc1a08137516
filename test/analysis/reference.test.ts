import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnalysisResult, analyze } from '../../scripts/lib/analysis/analyze.ts';
import { consensusStatements, groupAwareConsensus } from '../../scripts/lib/analysis/consensus.ts';
import { groupedParticipants } from '../../scripts/lib/analysis/participants.ts';
import { priorities } from '../../scripts/lib/analysis/priority.ts';
import { representatives } from '../../scripts/lib/analysis/representative.ts';
import {
  countByGroup,
  countTogether,
  type GroupCounts,
} from '../../scripts/lib/analysis/statistics.ts';
import { buildVoteTable, type VoteTable } from '../../scripts/lib/analysis/votes.ts';
import { removeFolders } from '../data/polis-export.ts';
import { adjustedRandIndex } from './lib/dense.ts';
import { HAS_DATA, NAMES, type RealConversation, readConversation } from './lib/real.ts';

/*
 * Real conversations against numbers computed independently of this program. Without the data the
 * tests are skipped, which the reporter shows; dense.test.ts compares made-up conversations with a
 * dense computation then as ever.
 */

/** Least adjusted Rand index with the published groups. */
const AGREEMENT = {
  '15-per-hour-seattle': 0.84,
  'scoop-hivemind.taxes': 0.88,
  'vtaiwan.uberx': 0.8,
};
/** Most inertia against the best of 100 runs, by number of groups. */
const INERTIA: Record<number, number> = { 2: 1.003, 3: 1.003, 4: 1.03, 5: 1.03 };

describe.skipIf(!HAS_DATA).each(NAMES)('%s', (name) => {
  let real: RealConversation;
  let result: AnalysisResult;
  let table: VoteTable;

  beforeAll(async () => {
    real = await readConversation(name);
    result = analyze(real.input);
    table = buildVoteTable(real.input.events, real.input);
  });
  afterAll(removeFolders);

  it('counts what the reference counts', () => {
    const { counts, mod_out } = real.reference;
    expect(result.votes).toBe(counts.latest_votes);
    expect(result.participants.ids).toHaveLength(counts.participants);
    expect(result.statements.ids).toHaveLength(counts.statements_with_votes);
    expect(groupedParticipants(table)).toHaveLength(counts.in_conv_min7);
    expect(real.input.moderated.toSorted((a, b) => a - b)).toEqual(mod_out);
  });

  it('center and components within 1e-9, extremity and projections within 1e-8', () => {
    const { pca, projection } = real.reference;
    const { statements, participants } = result;
    expect([...statements.ids]).toEqual(pca.statement_ids);
    expect([...participants.ids]).toEqual(projection.participant_ids);
    expect(distance(statements.center, pca.center)).toBeLessThan(1e-9);
    expect(distance(statements.axes[0], pca.comps[0])).toBeLessThan(1e-9);
    expect(distance(statements.axes[1], pca.comps[1])).toBeLessThan(1e-9);
    expect(distance(result.singularValues, pca.singular_values)).toBeLessThan(1e-9);
    expect(distance(statements.extremity, pca.extremity)).toBeLessThan(1e-8);
    expect(distance(participants.x, projection.x)).toBeLessThan(1e-8);
    expect(distance(participants.y, projection.y)).toBeLessThan(1e-8);
  });

  it('consensus statements in the same order, with the same numbers', () => {
    const all = countByGroup(table, new Int8Array(table.rows), 1);
    for (const consensus of [result.consensus, consensusStatements(all, table.zeroed)]) {
      for (const direction of ['agree', 'disagree'] as const) {
        const expected = real.reference.consensus[direction];
        expect(idsOf(consensus[direction], table)).toEqual(expected.map((it) => it.statement_id));
        for (const [at, it] of consensus[direction].entries()) {
          expect(it.successes).toBe(expected[at]?.n_success);
          expect(it.trials).toBe(expected[at]?.n_trials);
          expect(it.probability).toBeCloseTo(expected[at]?.p_success as number, 12);
          expect(it.probabilityTest).toBeCloseTo(expected[at]?.p_test as number, 9);
        }
      }
    }
  });

  describe('given the published groups', () => {
    let counts: GroupCounts;
    beforeAll(() => {
      counts = countByGroup(table, publishedGroups(real, table), 2);
    });

    it('group-aware consensus within 1e-12', () => {
      const { given_published_groups: given } = real.reference;
      const consensus = groupAwareConsensus(counts);
      expect(distance(consensus.agree, given.group_aware_consensus_agree)).toBeLessThan(1e-12);
      expect(distance(consensus.disagree, given.group_aware_consensus_disagree)).toBeLessThan(
        1e-12,
      );
    });

    it('priority within 1e-8, relative', () => {
      const expected = real.reference.given_published_groups.priority;
      const found = priorities(countTogether(counts), result.statements.extremity, table.meta);
      expect(found).toHaveLength(expected.length);
      for (const [at, value] of found.entries()) {
        expect(Math.abs(value / (expected[at] as number) - 1)).toBeLessThan(1e-8);
      }
    });

    it('representative statements in the same order, with the same numbers', () => {
      const found = representatives(counts, countTogether(counts), table.zeroed);
      for (const [group, { selected }] of found.entries()) {
        const expected = real.reference.given_published_groups.repness[group] ?? [];
        expect(idsOf(selected, table)).toEqual(expected.map((it) => it.statement_id));
        for (const [at, it] of selected.entries()) {
          const other = expected[at];
          expect(it.direction).toBe(other?.repful_for);
          expect(it.successes).toBe(other?.n_success);
          expect(it.trials).toBe(other?.n_trials);
          expect(it.bestAgree).toBe(other?.best_agree);
          expect(it.probability).toBeCloseTo(other?.p_success as number, 12);
          expect(it.probabilityTest).toBeCloseTo(other?.p_test as number, 9);
          expect(it.ratio).toBeCloseTo(other?.repness as number, 9);
          expect(it.ratioTest).toBeCloseTo(other?.repness_test as number, 9);
        }
      }
    });
  });

  it('groups as tight as the best of 100 runs, and never a group of one', () => {
    for (const { k, inertia, sizes } of result.candidates) {
      const best = real.reference.kmeans_best_of_100[k];
      if (best !== undefined) {
        expect(inertia / best.best_inertia).toBeLessThanOrEqual(INERTIA[k] as number);
      }
      expect(sizes.reduce((sum, size) => sum + size)).toBe(real.reference.counts.in_conv_min7);
    }
    expect(result.candidates.map(({ k }) => k)).toEqual([2, 3, 4, 5, 6]);
    expect(result.outcome).toBe('grouped');
    for (const { size } of result.groups) expect(size).toBeGreaterThan(1);
  });

  it('two groups, as published', () => {
    expect(result.groups).toHaveLength(2);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (const [at, id] of result.participants.ids.entries()) {
      const group = real.published.get(id);
      if (group === undefined || (result.participants.group[at] as number) < 0) continue;
      ours.push(result.participants.group[at] as number);
      theirs.push(group);
    }
    expect(adjustedRandIndex(ours, theirs)).toBeGreaterThanOrEqual(AGREEMENT[name]);
  });

  it('names every group by words of its representative statements', () => {
    const { groups, representatives: found } = result;
    for (const [group, { label }] of groups.entries()) {
      expect(label).not.toBe('');
      const texts = found[group]?.selected.map(({ column }) =>
        real.input.texts.get(result.statements.ids[column] as number)?.toLowerCase(),
      );
      for (const word of label.split(', ')) {
        expect(texts?.some((text) => text?.includes(word.toLowerCase()))).toBe(true);
      }
    }
    expect(new Set(groups.flatMap(({ label }) => label.split(', '))).size).toBe(6);
  });
});

/** The published group of each row; a few of them voted too little for us to group them. */
const publishedGroups = ({ published }: RealConversation, table: VoteTable) =>
  Int8Array.from(table.participantIds, (id) => published.get(id) ?? -1);

const idsOf = (statements: { column: number }[], table: VoteTable) =>
  statements.map(({ column }) => table.statementIds[column]);

/** The greatest difference of two lists of numbers. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let at = 0; at < a.length; at += 1) {
    most = Math.max(most, Math.abs((a[at] as number) - (b[at] as number)));
  }
  return most;
}
