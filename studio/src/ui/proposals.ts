import { frameOf, lengthOf } from "../core/geometry";
import type { Point, Stroke } from "../core/types";

/** Two ways whose strokes lie this near to each other, as a share of their size, are the same to the eye. */
const ALIKE = 0.06;

/** The ways without those that look like one before them. */
export function differing(ways: readonly (readonly Stroke[])[]): (readonly Stroke[])[] {
  const found: (readonly Stroke[])[] = [];
  for (const way of ways) if (!found.some((other) => areAlike(way, other))) found.push(way);
  return found;
}

function areAlike(a: readonly Stroke[], b: readonly Stroke[]): boolean {
  const reach = ALIKE * frameOf([...a, ...b]).side;
  const [longer, shorter] = [Math.max(lengthOf(a), lengthOf(b)), Math.min(lengthOf(a), lengthOf(b))];
  return shorter >= 0.8 * longer - reach && meanDistance(a, b) < reach && meanDistance(b, a) < reach;
}

/** From the points of one to the nearest of the other, on average. */
function meanDistance(from: readonly Stroke[], to: readonly Stroke[]): number {
  const points = to.flat();
  const nearest = ([x, y]: Point): number => Math.min(...points.map((p) => Math.hypot(p[0] - x, p[1] - y)));
  const all = from.flat();
  return all.reduce((sum, point) => sum + nearest(point), 0) / Math.max(1, all.length);
}
