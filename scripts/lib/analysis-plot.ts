/*
 * The scatter plot of an analysis as SVG: where participants stand, each group in its colour within
 * its hull.
 */

export interface PlotPoint {
  x: number;
  y: number;
  /** The key of the group; null for who is in none. */
  group: number | null;
}

/** The letter that a group goes by. */
export const groupLetter = (key: number): string => 'ABCDEF'[key] ?? '?';

/** Height and width of the drawing, and the empty edge around it, in its own units. */
const SIZE = 600;
const EDGE = 40;

/**
 * Draws points as SVG. The axes have no scale: only distances mean something, and they are the same
 * in both directions. Classes: `group-0` to `group-5` and `group-none` on hulls (`hull`), points
 * (`points`) and letters (`letter`).
 *
 * All points of a group are one path of dots, which is a tenth of the size of circles.
 */
export function plotSvg(points: PlotPoint[], title: string): string {
  const place = scale(points);
  const groups = new Map<number | null, [number, number][]>();
  for (const point of points) {
    const at = place(point);
    const known = groups.get(point.group);
    if (known === undefined) groups.set(point.group, [at]);
    else known.push(at);
  }
  const sorted = [...groups].sort(([a], [b]) => (a ?? -1) - (b ?? -1));
  const name = (group: number | null) => `group-${group ?? 'none'}`;
  const hulls = sorted.flatMap(([group, places]) =>
    group === null
      ? []
      : [`<polygon class="hull ${name(group)}" points="${join(convexHull(places))}"/>`],
  );
  const dots = sorted.map(
    ([group, places]) =>
      `<path class="points ${name(group)}" d="${places.map((at) => `M${at.join(' ')}h0`).join('')}"/>`,
  );
  const letters = sorted.flatMap(([group, places]) => {
    if (group === null) return [];
    const [x, y] = middle(places);
    return [`<text class="letter ${name(group)}" x="${x}" y="${y}">${groupLetter(group)}</text>`];
  });
  return [
    `<svg class="plot" viewBox="0 0 ${SIZE} ${SIZE}" role="img" aria-label="${title}">`,
    ...hulls,
    ...dots,
    ...letters,
    '</svg>',
  ].join('\n');
}

/** From coordinates to places in the drawing, rounded to a tenth; up is up. */
function scale(points: PlotPoint[]): (point: PlotPoint) => [number, number] {
  const range = (values: number[]) => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return { middle: (low + high) / 2, width: high - low };
  };
  const x = range(points.map((point) => point.x));
  const y = range(points.map((point) => point.y));
  const width = Math.max(x.width, y.width);
  const unit = width > 0 ? (SIZE - 2 * EDGE) / width : 0;
  const rounded = (value: number) => Math.round(value * 10) / 10;
  return (point) => [
    rounded(SIZE / 2 + (point.x - x.middle) * unit),
    rounded(SIZE / 2 - (point.y - y.middle) * unit),
  ];
}

/**
 * The corners of the smallest convex shape around the places, counter-clockwise from the leftmost
 * (A. M. Andrew's monotone chain, 1979). Of places on one line the two ends.
 */
export function convexHull(places: [number, number][]): [number, number][] {
  const sorted = [...places].sort(([ax, ay], [bx, by]) => ax - bx || ay - by);
  const half = (list: [number, number][]) => {
    const corners: [number, number][] = [];
    for (const place of list) {
      while (corners.length > 1 && !turnsLeft(corners.at(-2), corners.at(-1), place)) corners.pop();
      corners.push(place);
    }
    return corners.slice(0, -1);
  };
  const hull = [...half(sorted), ...half(sorted.reverse())];
  return hull.length > 0 ? hull : sorted.slice(0, 1);
}

type Place = [number, number];

function turnsLeft([ax, ay]: Place = [0, 0], [bx, by]: Place = [0, 0], [cx, cy]: Place): boolean {
  return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0;
}

function middle(places: Place[]): Place {
  const mean = (axis: 0 | 1) =>
    Math.round(places.reduce((sum, place) => sum + place[axis], 0) / places.length);
  return [mean(0), mean(1)];
}

const join = (places: Place[]) => places.map((place) => place.join(',')).join(' ');
