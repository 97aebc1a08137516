/*
 * The analysis once more, written as the textbook has it and sharing nothing with the program: dense
 * matrices, imputed means, all eigenvectors by Jacobi rotations, distances one by one.
 */

export interface Vote {
  participant: number;
  statement: number;
  value: -1 | 0 | 1;
}

export interface DenseResult {
  participants: number[];
  statements: number[];
  center: number[];
  /** All eigenvalues of CᵀC, descending, and their eigenvectors. */
  eigenvalues: number[];
  eigenvectors: number[][];
  x: number[];
  y: number[];
  extremity: number[];
}

const ascending = (values: Iterable<number>) => [...new Set(values)].sort((a, b) => a - b);

/** Components and projections; the largest loading of a component is positive. */
export function denseAnalysis(votes: Vote[], moderated: ReadonlySet<number>): DenseResult {
  const participants = ascending(votes.map((it) => it.participant));
  const statements = ascending(votes.map((it) => it.statement));
  const cells = new Map(votes.map((it) => [`${it.participant}/${it.statement}`, it.value]));
  const raw = participants.map((p) => statements.map((s) => cells.get(`${p}/${s}`)));
  const zeroed = raw.map((row) =>
    row.map((value, j) => (moderated.has(statements[j]!) ? 0 : value)),
  );
  const center = statements.map((_, j) => {
    const present = zeroed.map((row) => row[j]).filter((value) => value !== undefined);
    return present.reduce<number>((sum, value) => sum + value, 0) / present.length;
  });
  const centred = zeroed.map((row) => row.map((value, j) => (value ?? center[j]!) - center[j]!));
  const gram = statements.map((_, a) =>
    statements.map((__, b) => centred.reduce((sum, row) => sum + row[a]! * row[b]!, 0)),
  );
  const { values, vectors } = jacobi(gram);
  const comps = [0, 1].map((k) => positive(vectors[k] ?? statements.map(() => 0)));
  const project = (k: number) =>
    zeroed.map((row) => {
      const seen = row.filter((value) => value !== undefined).length;
      const sum = row.reduce<number>(
        (total, value, j) => total + ((value ?? center[j]!) - center[j]!) * comps[k]![j]!,
        0,
      );
      return sum * Math.sqrt(statements.length / Math.max(1, seen));
    });
  return {
    participants,
    statements,
    center,
    eigenvalues: values,
    eigenvectors: vectors.map(positive),
    x: project(0),
    y: project(1),
    extremity: statements.map((id, j) =>
      moderated.has(id)
        ? 0
        : Math.sqrt(statements.length) *
          Math.abs(1 - center[j]!) *
          Math.hypot(comps[0]![j]!, comps[1]![j]!),
    ),
  };
}

function positive(vector: number[]): number[] {
  const largest = vector.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most));
  return largest < 0 ? vector.map((value) => -value) : vector;
}

/** All eigenvalues of a symmetric matrix, descending, and the eigenvectors to them. */
export function jacobi(symmetric: number[][]): { values: number[]; vectors: number[][] } {
  const n = symmetric.length;
  const a = symmetric.map((row) => [...row]);
  const v: number[][] = symmetric.map((_, i) => symmetric.map((__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 100; sweep += 1) {
    let off = 0;
    for (let p = 0; p < n; p += 1) for (let q = 0; q < p; q += 1) off += a[p]![q]! ** 2;
    if (off < 1e-28 * n) break;
    for (let p = 0; p < n; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        if (Math.abs(a[p]![q]!) < 1e-300) continue;
        const angle = 0.5 * Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!);
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < n; k += 1) {
          const [x, y] = [a[k]![p]!, a[k]![q]!];
          a[k]![p] = c * x - s * y;
          a[k]![q] = s * x + c * y;
        }
        for (let k = 0; k < n; k += 1) {
          const [x, y] = [a[p]![k]!, a[q]![k]!];
          a[p]![k] = c * x - s * y;
          a[q]![k] = s * x + c * y;
          const [f, g] = [v[p]![k]!, v[q]![k]!];
          v[p]![k] = c * f - s * g;
          v[q]![k] = s * f + c * g;
        }
      }
    }
  }
  const order = symmetric.map((_, i) => i).sort((i, j) => a[j]![j]! - a[i]![i]!);
  return { values: order.map((i) => a[i]![i]!), vectors: order.map((i) => v[i]!) };
}

/** The mean silhouette, distance by distance. */
export function denseSilhouette(x: number[], y: number[], labels: number[]): number {
  const clusters = ascending(labels);
  const total = labels.reduce((sum, own, i) => {
    const meanTo = (cluster: number) => {
      const others = labels.flatMap((label, j) => (label === cluster && j !== i ? [j] : []));
      if (others.length === 0) return null;
      return (
        others.reduce((d, j) => d + Math.hypot(x[i]! - x[j]!, y[i]! - y[j]!), 0) / others.length
      );
    };
    const a = meanTo(own);
    if (a === null) return sum;
    const b = Math.min(...clusters.filter((it) => it !== own).map((it) => meanTo(it)!));
    return sum + (Math.max(a, b) === 0 ? 0 : (b - a) / Math.max(a, b));
  }, 0);
  return total / labels.length;
}

/** Agreement of two labellings: 1 for the same, about 0 for chance (Hubert and Arabie 1985). */
export function adjustedRandIndex(a: number[], b: number[]): number {
  const pairs = (n: number) => (n * (n - 1)) / 2;
  const count = (keys: string[]) => {
    const counts = new Map<string, number>();
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    return [...counts.values()].reduce((sum, n) => sum + pairs(n), 0);
  };
  const both = count(a.map((label, i) => `${label}/${b[i]}`));
  const inA = count(a.map(String));
  const inB = count(b.map(String));
  const expected = (inA * inB) / pairs(a.length);
  return (both - expected) / ((inA + inB) / 2 - expected);
}
