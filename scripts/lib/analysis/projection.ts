import type { Components } from './components.ts';
import type { VoteMatrix } from './votes.ts';

/** Points in the plane of the two components. */
export interface Points {
  x: Float64Array;
  y: Float64Array;
}

/**
 * Where each participant stands: the projection of their votes, stretched for those who voted on few
 * statements, who would else all lie near the centre.
 *
 * (x_i, y_i) = u_i · Σ_{j voted} (v_ij − m_j)·(pc1_j, pc2_j) with u_i = √(S / max(1, q_i)), where q_i
 * is the number of live statements that i voted on plus all zeroed ones, which count as seen by
 * everybody, and S counts zeroed statements too (Small et al. 2021, as in principalComponents).
 */
export function projectParticipants(matrix: VoteMatrix, components: Components): Points {
  const { rows, columns, rowStart, rowColumn, rowValue, zeroed } = matrix;
  const { center, axes } = components;
  const [first, second] = axes;
  const zeroedColumns = zeroed.reduce((sum, flag) => sum + flag, 0);
  const points = { x: new Float64Array(rows), y: new Float64Array(rows) };
  for (let row = 0; row < rows; row += 1) {
    let x = 0;
    let y = 0;
    let seen = zeroedColumns;
    for (let cell = rowStart[row]!; cell < rowStart[row + 1]!; cell += 1) {
      const column = rowColumn[cell]!;
      if (zeroed[column] === 1) continue;
      const centred = rowValue[cell]! - center[column]!;
      x += centred * first[column]!;
      y += centred * second[column]!;
      seen += 1;
    }
    const stretch = Math.sqrt(columns / Math.max(1, seen));
    points.x[row] = stretch * x;
    points.y[row] = stretch * y;
  }
  return points;
}

/**
 * How much a statement sets people apart: how far from the centre a participant stands who agrees
 * with it and votes on nothing else.
 *
 * E_j = √S·|1 − m_j|·√(pc1_j² + pc2_j²), 0 for zeroed statements.
 */
export function statementExtremity({ columns, zeroed }: VoteMatrix, components: Components) {
  const { center, axes } = components;
  const [first, second] = axes;
  const extremity = new Float64Array(columns);
  for (let column = 0; column < columns; column += 1) {
    if (zeroed[column] === 1) continue;
    const loading = Math.sqrt(first[column]! ** 2 + second[column]! ** 2);
    extremity[column] = Math.sqrt(columns) * Math.abs(1 - center[column]!) * loading;
  }
  return extremity;
}
