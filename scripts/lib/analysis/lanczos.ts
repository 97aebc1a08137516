import type { Random } from '../demo-random.ts';
import { topOfTridiagonal } from './tridiagonal.ts';

/** A symmetric, positive semidefinite operator: writes A·x to `result`. */
export type Operator = (x: Float64Array, result: Float64Array) => void;

export interface Eigenpair {
  value: number;
  /** Of length 1; all zero when the operator is zero on what is left of the space. */
  vector: Float64Array;
  /** How often the operator was applied. */
  applications: number;
}

/** Residual at which an eigenpair is good, as a part of the eigenvalue. */
const TOLERANCE = 1e-12;
/** Vectors kept; then the iteration starts again from the best that it has. */
const BASIS = 96;
const MAX_RESTARTS = 20;
/** Part of a vector's squared length that is little to be left of it. */
const LITTLE = 0.01;
const MAX_PASSES = 3;

/**
 * The largest eigenvalue, and its eigenvector, of `operator` on the vectors of `length` entries that
 * are orthogonal to `excluded` (orthonormal eigenvectors found before).
 *
 * Lanczos iteration with full re-orthogonalisation (Golub and Van Loan, Matrix Computations, 4th
 * ed., sections 10.1 and 10.3): after j steps the operator is a tridiagonal matrix T on the basis
 * q1…qj; its top eigenpair (θ, s) gives the vector Q·s with residual |β_j·s_j|. One pair at a time,
 * because a single Krylov space shows an eigenvalue of higher multiplicity only once.
 *
 * The start is random, so that no eigenvector is missed, and `random` makes it always the same.
 */
export function dominantEigenpair(
  operator: Operator,
  length: number,
  excluded: Float64Array[],
  random: Random,
): Eigenpair {
  let start: Float64Array = new Float64Array(length);
  for (let at = 0; at < length; at += 1) start[at] = random.next() - 0.5;
  let best: Eigenpair = { value: 0, vector: new Float64Array(length), applications: 0 };
  for (let restart = 0; restart <= MAX_RESTARTS; restart += 1) {
    const { value, vector, applications, settled } = krylov(operator, start, excluded);
    best = { value, vector, applications: best.applications + applications };
    if (settled) break;
    start = vector;
  }
  return best;
}

interface KrylovResult extends Eigenpair {
  settled: boolean;
}

/** The best eigenpair that the Krylov space of `start` has, up to BASIS dimensions. */
function krylov(operator: Operator, start: Float64Array, excluded: Float64Array[]): KrylovResult {
  const { length } = start;
  const zero = { value: 0, vector: new Float64Array(length), applications: 0, settled: true };
  const first = start.slice();
  orthogonalise(first, excluded);
  // What rounding leaves of a vector that lies in the excluded space is no direction.
  const norm = normalise(first);
  if (norm <= Number.EPSILON * length) return zero;

  const basis = [first];
  const diagonal: number[] = [];
  const beside: number[] = [];
  for (;;) {
    const last = basis.at(-1)!;
    const next = new Float64Array(length);
    operator(last, next);
    const alpha = dot(last, next);
    diagonal.push(alpha);
    // In exact arithmetic these two are all; what rounding leaves of the others is taken away then.
    addTo(next, -alpha, last);
    if (basis.length > 1) addTo(next, -beside.at(-1)!, basis.at(-2)!);
    orthogonalise(next, excluded);
    orthogonalise(next, basis);
    const beta = normalise(next);
    const top = topOfTridiagonal(diagonal, beside);
    const residual = beta * Math.abs(top.vector.at(-1)!);
    const size = diagonal.length;
    const settled = residual <= TOLERANCE * top.value || beta === 0;
    if (settled || size === BASIS || size >= length - excluded.length) {
      if (top.value <= 0) return { ...zero, applications: size };
      const vector = combine(basis, top.vector);
      return {
        value: top.value,
        vector,
        applications: size,
        settled: settled || size >= length - excluded.length,
      };
    }
    beside.push(beta);
    basis.push(next);
  }
}

/** Σ weight_k·basis_k. */
function combine(basis: Float64Array[], weights: Float64Array): Float64Array {
  const result = new Float64Array(basis[0]!.length);
  for (const [k, vector] of basis.entries()) addTo(result, weights[k]!, vector);
  normalise(result);
  return result;
}

/**
 * Takes away from `vector` its parts along the orthonormal `basis`; again when little is left, which
 * rounding errors of the first time then are a part of ("twice is enough", W. Kahan).
 */
export function orthogonalise(vector: Float64Array, basis: Float64Array[]): void {
  if (basis.length === 0) return;
  let before = dot(vector, vector);
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    for (let k = 0; k < basis.length; k += 4) {
      const a = basis[k]!;
      if (k + 3 < basis.length) {
        removeFour(vector, a, basis[k + 1]!, basis[k + 2]!, basis[k + 3]!);
      } else {
        for (const rest of basis.slice(k)) addTo(vector, -dot(vector, rest), rest);
      }
    }
    const after = dot(vector, vector);
    if (after > LITTLE * before || after === 0) return;
    before = after;
  }
}

/** Takes four directions away at once: memory is read once, and no sum waits for another. */
function removeFour(
  vector: Float64Array,
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  d: Float64Array,
): void {
  let alongA = 0;
  let alongB = 0;
  let alongC = 0;
  let alongD = 0;
  for (let at = 0; at < vector.length; at += 1) {
    const value = vector[at]!;
    alongA += value * a[at]!;
    alongB += value * b[at]!;
    alongC += value * c[at]!;
    alongD += value * d[at]!;
  }
  for (let at = 0; at < vector.length; at += 1) {
    vector[at]! -= alongA * a[at]! + alongB * b[at]! + alongC * c[at]! + alongD * d[at]!;
  }
}

/** Scales `vector` to length 1 and returns the length that it had; a zero vector stays. */
export function normalise(vector: Float64Array): number {
  const length = Math.sqrt(dot(vector, vector));
  if (length > 0) for (let at = 0; at < vector.length; at += 1) vector[at]! /= length;
  return length;
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at]! * b[at]!;
  return sum;
}

function addTo(target: Float64Array, factor: number, vector: Float64Array): void {
  for (let at = 0; at < target.length; at += 1) target[at]! += factor * vector[at]!;
}
