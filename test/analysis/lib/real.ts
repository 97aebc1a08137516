/*
 * Real conversations, published by the Computational Democracy Project (CC BY 4.0), and what was
 * computed from them independently. They are not part of this repository: MILLRACE_POLIS_DATA names
 * the folder; by default it is looked for beside the checkout.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { extract } from 'tar';
import type { AnalysisInput } from '../../../scripts/lib/analysis/analyze.ts';
import { ROOT } from '../../../scripts/lib/config.ts';
import { newFolder, readFolder, splitCsv } from '../../data/polis-export.ts';

export const DATA = resolve(ROOT, process.env.MILLRACE_POLIS_DATA || '../shared/data/polis');
export const HAS_DATA = existsSync(DATA);
export const NAMES = ['15-per-hour-seattle', 'scoop-hivemind.taxes', 'vtaiwan.uberx'] as const;
export type Name = (typeof NAMES)[number];

export interface ReferenceStatement {
  statement_id: number;
  n_success: number;
  n_trials: number;
  p_success: number;
  p_test: number;
}

export interface ReferenceRepresentative extends ReferenceStatement {
  repful_for: 'agree' | 'disagree';
  repness: number;
  repness_test: number;
  best_agree: boolean;
}

export interface Reference {
  counts: Record<
    'participants' | 'statements_with_votes' | 'latest_votes' | 'in_conv_min7',
    number
  >;
  mod_out: number[];
  meta: number[];
  pca: {
    statement_ids: number[];
    center: number[];
    comps: [number[], number[]];
    singular_values: [number, number];
    extremity: number[];
  };
  projection: { participant_ids: number[]; x: number[]; y: number[] };
  kmeans_best_of_100: Record<string, { best_inertia: number; silhouette: number; sizes: number[] }>;
  published_groups: { ids: number[]; sizes: number[] };
  given_published_groups: {
    group_aware_consensus_agree: number[];
    group_aware_consensus_disagree: number[];
    priority: number[];
    repness: Record<string, ReferenceRepresentative[]>;
  };
  consensus: { agree: ReferenceStatement[]; disagree: ReferenceStatement[] };
}

export interface RealConversation {
  /** Votes in the order of the file, re-votes too, with times; texts. */
  input: AnalysisInput & { moderated: number[]; texts: Map<number, string> };
  reference: Reference;
  /** Participant to published group. */
  published: Map<number, number>;
}

/** Reads the export as Polis writes it, with the test's own CSV reader. */
export async function readConversation(name: Name): Promise<RealConversation> {
  const folder = join(await newFolder(), name);
  await mkdir(folder);
  await extract({ file: join(DATA, name, 'originals.tar.gz'), cwd: folder });
  const { statements, votes } = await readFolder(folder);
  const reference = JSON.parse(
    await readFile(join(DATA, name, 'reference.json'), 'utf8'),
  ) as Reference;
  const [header = [], ...rows] = splitCsv(
    await readFile(join(folder, 'participants-votes.csv'), 'utf8'),
  );
  const published = new Map<number, number>();
  for (const row of rows) {
    const group = row[header.indexOf('group-id')] ?? '';
    if (group !== '') published.set(Number(row[header.indexOf('participant')]), Number(group));
  }
  return {
    input: {
      events: {
        participants: Float64Array.from(votes, ({ voter }) => voter),
        statements: Float64Array.from(votes, ({ statement }) => statement),
        values: Int8Array.from(votes, ({ vote }) => vote),
        times: Float64Array.from(votes, ({ at }) => at),
      },
      moderated: statements.filter(({ moderated }) => moderated === -1).map(({ id }) => id),
      texts: new Map(statements.map(({ id, text }) => [id, text])),
    },
    reference,
    published,
  };
}
