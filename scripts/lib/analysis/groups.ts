import { createRandom } from '../demo-random.ts';
import { type Clustering, distinctPoints, kMeans } from './kmeans.ts';
import type { Points } from './projection.ts';
import { meanSilhouettes } from './silhouette.ts';

/** One number of groups that was tried. */
export interface Candidate {
  k: number;
  inertia: number;
  /** Mean silhouette; of the first SILHOUETTE_POINTS points when there are more. */
  silhouette: number;
  /** Sizes of the groups, the largest first. */
  sizes: number[];
  /** Whether the smallest group is large enough to be reported. */
  eligible: boolean;
}

/** How the participants fall into groups. */
export interface Grouping {
  /** Groups found; 0 when no number of groups is eligible. */
  k: number;
  /** The group of each point, 0 the largest; empty when k is 0. */
  labels: Uint8Array;
  sizes: number[];
  candidates: Candidate[];
}

const MIN_GROUPS = 2;
const MAX_GROUPS = 6;
/** Participants for each further group that is tried, as many as classic Polis asks for. */
const PARTICIPANTS_PER_GROUP = 12;
/** Any number: k-means starts alike in every run. */
const SEED = 20_070_107;
const RESTARTS = 10;
/** Part of the participants that the smallest group must have to be reported. */
const MIN_SHARE = 0.01;
const MIN_SIZE = 2;
/** Points whose distances are all taken: 2·10⁸ distances, about a second. */
const SILHOUETTE_POINTS = 20_000;

/**
 * Groups the points: k-means for each k from 2 to min(6, 2 + ⌊n/12⌋), and of these the k with the
 * greatest mean silhouette, the smaller of equals. A k whose smallest group has fewer than
 * max(2, 1 % of the points) members is not eligible: such a group is a few outliers.
 *
 * The points must come in canonical order: then their first 20,000, which the silhouette is limited
 * to, are as good as drawn at random, and drawn alike in every run.
 */
export function groupPoints(points: Points): Grouping {
  const n = points.x.length;
  const none = { k: 0, labels: new Uint8Array(0), sizes: [], candidates: [] };
  const most = Math.min(MAX_GROUPS, MIN_GROUPS + Math.floor(n / PARTICIPANTS_PER_GROUP));
  const distinct = distinctPoints(points, most);
  if (n < MIN_GROUPS * MIN_SIZE || distinct < MIN_GROUPS) return none;
  const clusterings: Clustering[] = [];
  for (let k = MIN_GROUPS; k <= Math.min(most, distinct); k += 1) {
    clusterings.push(kMeans(points, k, RESTARTS, createRandom(SEED + k)));
  }
  const sample = {
    x: points.x.subarray(0, SILHOUETTE_POINTS),
    y: points.y.subarray(0, SILHOUETTE_POINTS),
  };
  const silhouettes = meanSilhouettes(
    sample,
    clusterings.map(({ k, labels }) => ({ k, labels: labels.subarray(0, SILHOUETTE_POINTS) })),
  );
  const smallest = Math.max(MIN_SIZE, Math.ceil(MIN_SHARE * n));
  const candidates = clusterings.map(({ k, inertia, sizes }, at) => ({
    k,
    inertia,
    silhouette: silhouettes[at]!,
    sizes: [...sizes].sort((a, b) => b - a),
    eligible: sizes.every((size) => size >= smallest),
  }));
  let chosen = -1;
  for (const [at, { eligible, silhouette }] of candidates.entries()) {
    if (!eligible) continue;
    if (chosen < 0 || silhouette > candidates[chosen]!.silhouette) chosen = at;
  }
  if (chosen < 0) return { ...none, candidates };
  return { ...largestFirst(clusterings[chosen]!), candidates };
}

/** Numbers the clusters by size, of equal ones the one farther left first. */
function largestFirst({ k, labels, sizes, centers }: Clustering): Omit<Grouping, 'candidates'> {
  const order = Array.from({ length: k }, (_, cluster) => cluster).sort(
    (a, b) =>
      sizes[b]! - sizes[a]! || centers.x[a]! - centers.x[b]! || centers.y[a]! - centers.y[b]!,
  );
  const number = new Uint8Array(k);
  for (const [at, cluster] of order.entries()) number[cluster] = at;
  return {
    k,
    labels: labels.map((label) => number[label]!),
    sizes: order.map((cluster) => sizes[cluster]!),
  };
}
