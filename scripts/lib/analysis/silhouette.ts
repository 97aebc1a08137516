import type { Points } from './projection.ts';
import { countingOrder } from './votes.ts';

/** Which cluster each point is in, from 0 to before k. */
export interface Partition {
  k: number;
  labels: Uint8Array;
}

/**
 * The mean silhouette of each of several partitions of the same points: exactly, and with one pass
 * over the distances for all of them.
 *
 * s_i = (b − a) / max(a, b), where a is the mean distance of i from the others of its cluster and b
 * the smallest mean distance from another cluster; 0 for who is alone (Rousseeuw 1987,
 * "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis").
 *
 * Points that are together in every partition form a cell; each distance is added once to a sum for
 * (point, cell) on either side, and a cluster's sum is that of its cells. So n²/2 distances are
 * taken, whatever the number of partitions, and the innermost loop runs over neighbours in memory.
 */
export function meanSilhouettes(points: Points, partitions: Partition[]): Float64Array {
  const cells = commonCells(points.x.length, partitions);
  const sums = distanceSums(points, cells);
  return Float64Array.from(partitions, (partition) => meanSilhouette(partition, cells, sums));
}

interface Cells {
  count: number;
  /** Cell c has the points order[start[c]] to before order[start[c + 1]]. */
  start: Int32Array;
  order: Int32Array;
}

/** The cells in which the points fall apart when all partitions are laid over each other. */
function commonCells(n: number, partitions: Partition[]): Cells {
  const numbers = new Map<number, number>();
  const cell = new Int32Array(n);
  for (let point = 0; point < n; point += 1) {
    let key = 0;
    for (const { k, labels } of partitions) key = key * k + labels[point]!;
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
    }
    cell[point] = number;
  }
  const { order, start } = countingOrder(cell, numbers.size);
  return { count: numbers.size, start, order };
}

/** For the p-th point of the cells' order and cell c: Σ of its distances from the cell's points. */
function distanceSums(points: Points, { count, start, order }: Cells): Float64Array {
  const n = order.length;
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  for (let at = 0; at < n; at += 1) {
    x[at] = points.x[order[at]!]!;
    y[at] = points.y[order[at]!]!;
  }
  const sums = new Float64Array(n * count);
  const column = new Float64Array(n);
  for (let cell = 0; cell < count; cell += 1) {
    const from = start[cell]!;
    const to = start[cell + 1]!;
    // Within the cell, and with every later cell; `column` gathers the other side's part.
    column.fill(0);
    for (let point = from; point < to; point += 1) {
      for (let other = cell; other < count; other += 1) {
        const first = other === cell ? point + 1 : start[other]!;
        sums[point * count + other]! += addDistances(x, y, point, first, start[other + 1]!, column);
      }
    }
    for (let point = from; point < n; point += 1) sums[point * count + cell]! += column[point]!;
  }
  return sums;
}

/** Σ of the distances of a point from a range of points; each is added to theirs in `column`. */
function addDistances(
  x: Float64Array,
  y: Float64Array,
  point: number,
  from: number,
  to: number,
  column: Float64Array,
): number {
  const px = x[point]!;
  const py = y[point]!;
  let sum = 0;
  for (let other = from; other < to; other += 1) {
    const dx = x[other]! - px;
    const dy = y[other]! - py;
    const distance = Math.sqrt(dx * dx + dy * dy);
    sum += distance;
    column[other]! += distance;
  }
  return sum;
}

function meanSilhouette({ k, labels }: Partition, cells: Cells, sums: Float64Array): number {
  const { count, start, order } = cells;
  const n = order.length;
  if (n === 0) return 0;
  const sizes = new Int32Array(k);
  for (let point = 0; point < n; point += 1) sizes[labels[point]!]! += 1;
  const clusterOf = new Uint8Array(count);
  for (let cell = 0; cell < count; cell += 1) clusterOf[cell] = labels[order[start[cell]!]!]!;

  const toCluster = new Float64Array(k);
  let total = 0;
  for (let at = 0; at < n; at += 1) {
    toCluster.fill(0);
    for (let cell = 0; cell < count; cell += 1) {
      toCluster[clusterOf[cell]!]! += sums[at * count + cell]!;
    }
    const own = labels[order[at]!]!;
    if (sizes[own]! < 2) continue;
    const within = toCluster[own]! / (sizes[own]! - 1);
    let nearest = Number.POSITIVE_INFINITY;
    for (let cluster = 0; cluster < k; cluster += 1) {
      if (cluster !== own && sizes[cluster]! > 0) {
        nearest = Math.min(nearest, toCluster[cluster]! / sizes[cluster]!);
      }
    }
    const larger = Math.max(within, nearest);
    if (larger > 0 && larger < Number.POSITIVE_INFINITY) total += (nearest - within) / larger;
  }
  return total / n;
}
