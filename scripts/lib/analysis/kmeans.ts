import type { Random } from '../demo-random.ts';
import type { Points } from './projection.ts';

/** Points in k clusters. */
export interface Clustering {
  k: number;
  /** The cluster of each point, from 0. */
  labels: Uint8Array;
  /** Points in each cluster. */
  sizes: Int32Array;
  /** The clusters' means. */
  centers: Points;
  /** Σ of the squared distances of the points from their centres. */
  inertia: number;
}

/** Iterations of one restart; the assignment has settled long before. */
const MAX_ITERATIONS = 300;

/**
 * The best of `restarts` clusterings of the points into k clusters: the one with the least inertia,
 * the first of equals.
 *
 * Lloyd's algorithm (1982) until no point changes its cluster, from starting centres chosen by
 * k-means++ (Arthur and Vassilvitskii 2007) in its greedy form: each next centre is the best of
 * 2 + ⌊ln k⌋ candidates drawn with probability proportional to the squared distance from the nearest
 * centre so far. A cluster that runs empty gets the point farthest from its centre.
 *
 * There must be at least k distinct points. Deterministic given the points' order and `random`.
 */
export function kMeans(points: Points, k: number, restarts: number, random: Random): Clustering {
  let best: Clustering | null = null;
  for (let restart = 0; restart < restarts; restart += 1) {
    const found = lloyd(points, startingCenters(points, k, random));
    if (best === null || found.inertia < best.inertia) best = found;
  }
  if (best === null) throw new RangeError('k-means needs at least one restart');
  return best;
}

/** How many distinct points there are, counted up to `limit`. */
export function distinctPoints({ x, y }: Points, limit: number): number {
  const seen: number[] = [];
  for (let point = 0; point < x.length && seen.length < limit; point += 1) {
    if (!seen.some((other) => x[other] === x[point] && y[other] === y[point])) seen.push(point);
  }
  return seen.length;
}

/** Indexes of k points to start from. */
function startingCenters({ x, y }: Points, k: number, random: Random): Points {
  const n = x.length;
  const centers = { x: new Float64Array(k), y: new Float64Array(k) };
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  const candidate = new Float64Array(n);
  const better = new Float64Array(n);
  const candidates = 2 + Math.floor(Math.log(k));
  const first = random.below(n);
  centers.x[0] = x[first]!;
  centers.y[0] = y[first]!;
  let total = distances(x, y, first, nearest, nearest);
  for (let c = 1; c < k; c += 1) {
    let least = Number.POSITIVE_INFINITY;
    for (let draw = 0; draw < candidates; draw += 1) {
      const point = drawByWeight(nearest, total, random);
      const potential = distances(x, y, point, nearest, candidate);
      if (potential < least) {
        least = potential;
        better.set(candidate);
        centers.x[c] = x[point]!;
        centers.y[c] = y[point]!;
      }
    }
    nearest.set(better);
    total = least;
  }
  return centers;
}

/** Squared distances from the nearest centre if `center` were one more; returns their sum. */
function distances(
  x: Float64Array,
  y: Float64Array,
  center: number,
  nearest: Float64Array,
  result: Float64Array,
): number {
  const cx = x[center]!;
  const cy = y[center]!;
  let sum = 0;
  for (let point = 0; point < x.length; point += 1) {
    const dx = x[point]! - cx;
    const dy = y[point]! - cy;
    const distance = Math.min(nearest[point]!, dx * dx + dy * dy);
    result[point] = distance;
    sum += distance;
  }
  return sum;
}

/** A point drawn with a probability proportional to its weight; never one of weight 0. */
function drawByWeight(weights: Float64Array, total: number, random: Random): number {
  let left = random.next() * total;
  let last = 0;
  for (let point = 0; point < weights.length; point += 1) {
    if (weights[point]! === 0) continue;
    last = point;
    left -= weights[point]!;
    if (left < 0) break;
  }
  return last;
}

/** A clustering under way. */
interface State {
  labels: Uint8Array;
  /** Of each point: no farther from its centre than this … */
  upper: Float64Array;
  /** … and no closer to any other. */
  lower: Float64Array;
  /** Of each cluster: its centre, the sums of its points, and how far the centre moved last. */
  centerX: Float64Array;
  centerY: Float64Array;
  sumX: Float64Array;
  sumY: Float64Array;
  sizes: Int32Array;
  moved: Float64Array;
}

const NOWHERE = 255;

function lloyd({ x, y }: Points, centers: Points): Clustering {
  const n = x.length;
  const k = centers.x.length;
  const state: State = {
    labels: new Uint8Array(n).fill(NOWHERE),
    upper: new Float64Array(n).fill(Number.POSITIVE_INFINITY),
    lower: new Float64Array(n),
    centerX: centers.x,
    centerY: centers.y,
    sumX: new Float64Array(k),
    sumY: new Float64Array(k),
    sizes: new Int32Array(k),
    moved: new Float64Array(k),
  };
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration += 1) {
    if (!assign(x, y, state)) {
      // By the bounds it has settled: once more with exact sums and without bounds.
      recount(x, y, state);
      state.upper.fill(Number.POSITIVE_INFINITY);
      moveCenters(x, y, state);
      if (!assign(x, y, state)) break;
    }
    moveCenters(x, y, state);
  }
  recount(x, y, state);
  const { labels, sizes, centerX, centerY } = state;
  let inertia = 0;
  for (let point = 0; point < n; point += 1) {
    inertia += squaredDistance(x, y, state, point, labels[point]!);
  }
  return { k, labels, sizes, centers: { x: centerX, y: centerY }, inertia };
}

/**
 * Gives every point to its nearest centre, the first of equals; whether any changed.
 *
 * Most points need no distances: by the triangle inequality they are still closer to their own
 * centre than to any other, however the centres moved (Hamerly 2010, "Making k-means even faster").
 */
function assign(x: Float64Array, y: Float64Array, state: State): boolean {
  const { labels, upper, lower, centerX, centerY, sumX, sumY, sizes, moved } = state;
  const k = sizes.length;
  let farthest = 0;
  for (let c = 0; c < k; c += 1) farthest = Math.max(farthest, moved[c]!);
  let changed = false;
  for (let point = 0; point < labels.length; point += 1) {
    const label = labels[point]!;
    if (label !== NOWHERE) {
      const above = upper[point]! + moved[label]!;
      const below = lower[point]! - farthest;
      upper[point] = above;
      lower[point] = below;
      if (above < below) continue;
    }
    const px = x[point]!;
    const py = y[point]!;
    let nearest = 0;
    let least = Number.POSITIVE_INFINITY;
    let second = Number.POSITIVE_INFINITY;
    for (let c = 0; c < k; c += 1) {
      const dx = px - centerX[c]!;
      const dy = py - centerY[c]!;
      const distance = dx * dx + dy * dy;
      if (distance < least) {
        second = least;
        least = distance;
        nearest = c;
      } else if (distance < second) second = distance;
    }
    upper[point] = Math.sqrt(least);
    lower[point] = Math.sqrt(second);
    if (nearest === label) continue;
    changed = true;
    labels[point] = nearest;
    sizes[nearest]! += 1;
    sumX[nearest]! += px;
    sumY[nearest]! += py;
    if (label === NOWHERE) continue;
    sizes[label]! -= 1;
    sumX[label]! -= px;
    sumY[label]! -= py;
  }
  return changed;
}

/** Sums the clusters up anew: sums kept by adding and taking away carry rounding errors. */
function recount(x: Float64Array, y: Float64Array, { labels, sizes, sumX, sumY }: State): void {
  sizes.fill(0);
  sumX.fill(0);
  sumY.fill(0);
  for (let point = 0; point < labels.length; point += 1) {
    const label = labels[point]!;
    sizes[label]! += 1;
    sumX[label]! += x[point]!;
    sumY[label]! += y[point]!;
  }
}

/** Moves every centre to the mean of its points. */
function moveCenters(x: Float64Array, y: Float64Array, state: State): void {
  const { centerX, centerY, sumX, sumY, sizes, moved } = state;
  for (let c = 0; c < sizes.length; c += 1) if (sizes[c] === 0) refill(x, y, state, c);
  for (let c = 0; c < sizes.length; c += 1) {
    const newX = sumX[c]! / sizes[c]!;
    const newY = sumY[c]! / sizes[c]!;
    moved[c] = Math.sqrt((newX - centerX[c]!) ** 2 + (newY - centerY[c]!) ** 2);
    centerX[c] = newX;
    centerY[c] = newY;
  }
}

/** Moves to the empty cluster the point that lies farthest from the centre of its own. */
function refill(x: Float64Array, y: Float64Array, state: State, empty: number): void {
  const { labels, upper, sumX, sumY, sizes } = state;
  let farthest = -1;
  let most = -1;
  for (let point = 0; point < labels.length; point += 1) {
    const label = labels[point]!;
    if (sizes[label]! < 2) continue;
    const distance = squaredDistance(x, y, state, point, label);
    if (distance > most) {
      most = distance;
      farthest = point;
    }
  }
  if (farthest < 0) throw new RangeError('k-means has fewer points than clusters');
  const old = labels[farthest]!;
  sizes[old]! -= 1;
  sumX[old]! -= x[farthest]!;
  sumY[old]! -= y[farthest]!;
  labels[farthest] = empty;
  upper[farthest] = Number.POSITIVE_INFINITY;
  sizes[empty] = 1;
  sumX[empty] = x[farthest]!;
  sumY[empty] = y[farthest]!;
}

function squaredDistance(
  x: Float64Array,
  y: Float64Array,
  { centerX, centerY }: State,
  point: number,
  center: number,
): number {
  const dx = x[point]! - centerX[center]!;
  const dy = y[point]! - centerY[center]!;
  return dx * dx + dy * dy;
}
