import { distanceToSegment, lengthOf } from "../core/geometry";
import type { Point, Stroke } from "../core/types";
import { curveOf } from "./curve";

/** Share of a proposal's first line that has to be traced before it is taken. */
const SHARE = 0.15;
/** What is traced at least, and how far beside the line, in page units. */
const SHORTEST = 24;
const BESIDE = 26;

/** Whether a line that is being drawn follows a proposed one from its beginning: then the proposal is taken. */
export function isTracing(drawn: Stroke, proposed: Stroke): boolean {
  const first = proposed[0];
  const start = drawn[0];
  if (!first || !start || proposed.length < 2) return false;
  if (Math.hypot(start[0] - first[0], start[1] - first[1]) > 1.6 * BESIDE) return false;
  const wanted = Math.max(SHORTEST, SHARE * curveOf(proposed).length);
  return lengthOf([drawn]) >= wanted && drawn.every((point) => distanceTo(proposed, point) <= BESIDE);
}

function distanceTo(path: Stroke, point: Point): number {
  return path.reduce(
    (least, to, index) => Math.min(least, distanceToSegment(point, path[index - 1] ?? to, to)),
    Infinity,
  );
}
