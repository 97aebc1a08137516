/** The largest eigenvalue of a symmetric matrix, and its eigenvector of length 1. */
export interface TopEigenpair {
  value: number;
  vector: Float64Array;
}

/** More sweeps than any eigenvalue of a symmetric tridiagonal matrix has been seen to need. */
const MAX_SWEEPS = 60;
/** Entries whose squares would vanish count as zero. */
const TINY = 1e-150;

/**
 * The largest eigenvalue and eigenvector of the symmetric tridiagonal matrix with this diagonal and,
 * beside it, these entries (one fewer).
 *
 * QL iteration with implicit Wilkinson shifts; the rotations are accumulated into the eigenvectors
 * (Golub and Van Loan, Matrix Computations, 4th ed., section 8.3).
 *
 * @throws Error when an eigenvalue does not settle, which finite entries do not bring about.
 */
export function topOfTridiagonal(diagonal: number[], beside: number[]): TopEigenpair {
  const n = diagonal.length;
  const d = Float64Array.from(diagonal);
  const e = new Float64Array(n);
  e.set(beside.slice(0, n - 1));
  // Column k of `vectors` is the k-th eigenvector; stored column by column.
  const vectors = new Float64Array(n * n);
  for (let k = 0; k < n; k += 1) vectors[k * n + k] = 1;

  for (let low = 0; low < n; low += 1) {
    for (let sweep = 0; ; sweep += 1) {
      const high = endOfBlock(d, e, low);
      if (high === low) break;
      if (sweep === MAX_SWEEPS) throw new Error(`eigenvalue ${low} of ${n} does not settle`);
      sweepBlock(d, e, vectors, low, high);
    }
  }

  let top = 0;
  for (let k = 1; k < n; k += 1) if (d[k]! > d[top]!) top = k;
  return { value: d[top]!, vector: vectors.slice(top * n, (top + 1) * n) };
}

/** The last index of the block that begins at `low`: behind it an entry is as good as zero. */
function endOfBlock(d: Float64Array, e: Float64Array, low: number): number {
  let high = low;
  while (high < d.length - 1) {
    const scale = Math.abs(d[high]!) + Math.abs(d[high + 1]!);
    if (Math.abs(e[high]!) <= Math.max(TINY, Number.EPSILON * scale)) break;
    high += 1;
  }
  return high;
}

/** One implicit QL sweep over rows `low` to `high`, chasing the bulge upwards. */
function sweepBlock(
  d: Float64Array,
  e: Float64Array,
  vectors: Float64Array,
  low: number,
  high: number,
): void {
  const n = d.length;
  const half = (d[low + 1]! - d[low]!) / (2 * e[low]!);
  const root = Math.sqrt(half * half + 1);
  const shift = d[low]! - e[low]! / (half + (half < 0 ? -root : root));
  let cos = 1;
  let sin = 1;
  let bulge = d[high]! - shift;
  let carried = 0;
  for (let k = high - 1; k >= low; k -= 1) {
    const f = sin * e[k]!;
    const b = cos * e[k]!;
    const length = Math.sqrt(f * f + bulge * bulge);
    e[k + 1] = length;
    if (length === 0) {
      // The block falls apart here; the next look finds the shorter ones.
      d[k + 1]! -= carried;
      e[high] = 0;
      return;
    }
    sin = f / length;
    cos = bulge / length;
    const centre = d[k + 1]! - carried;
    const t = (d[k]! - centre) * sin + 2 * cos * b;
    carried = sin * t;
    d[k + 1] = centre + carried;
    bulge = cos * t - b;
    const left = k * n;
    const right = left + n;
    for (let row = 0; row < n; row += 1) {
      const x = vectors[left + row]!;
      const y = vectors[right + row]!;
      vectors[right + row] = sin * x + cos * y;
      vectors[left + row] = cos * x - sin * y;
    }
  }
  d[low]! -= carried;
  e[low] = bulge;
  e[high] = 0;
}
