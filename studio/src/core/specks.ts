import { CANVAS_SIZE, distanceToSegment } from "./geometry";
import type { RasterSpec } from "./raster";
import type { Point, Stroke } from "./types";

/** Extent in canvas units up to which a stroke can be a speck. */
const SIZE = 8;
/** Ink, of 1, that a place within a pixel must have for a stroke of that size to stay. */
const INK = 0.4;
/** Canvas units: a stroke that is nowhere farther than that from the others repeats them. */
const REPEAT = 4;

/**
 * Strokes in the frame of the model's canvas without specks and repeats, which a decoder leaves where it set the pen
 * down in vain: `drawing/specks.py`, number for number. `known` is the ink that it imagines or looks at. Strokes with
 * one of the first `given` points stay.
 */
export function withoutSpecks(
  strokes: readonly Stroke[],
  known: Float32Array,
  raster: RasterSpec,
  given: number,
): readonly Stroke[] {
  let begin = 0;
  const cleaned = strokes.flatMap((stroke) => {
    const isOwn = begin < given;
    begin += stroke.length;
    return isOwn || !isTiny(stroke) || !isSpeck(stroke, known, raster) ? [{ stroke, isOwn }] : [];
  });
  if (cleaned.length === 0) return strokes;
  for (let at = cleaned.length - 1; at >= 0; at--) {
    const { stroke, isOwn } = cleaned[at]!;
    const others = cleaned.filter((_, other) => other !== at).map((other) => other.stroke);
    if (!isOwn && repeats(stroke, others)) cleaned.splice(at, 1);
  }
  return cleaned.map(({ stroke }) => stroke);
}

/** Whether every place of a stroke lies by one of the others. Few pass by their points alone, which are soon compared. */
function repeats(stroke: Stroke, others: readonly Stroke[]): boolean {
  const lies = (place: Point): boolean => others.some((other) => distance(place, other) <= REPEAT);
  return stroke.every(lies) && between(stroke).every(lies);
}

/** Places along a polyline, at most `REPEAT` apart. */
function between(stroke: Stroke): Point[] {
  return stroke.slice(1).flatMap(([toX, toY], index) => {
    const [x, y] = stroke[index]!;
    const count = Math.ceil(Math.hypot(toX - x, toY - y) / REPEAT);
    return Array.from({ length: count }, (_, k): Point => [x + (k / count) * (toX - x), y + (k / count) * (toY - y)]);
  });
}

function isTiny(stroke: Stroke): boolean {
  return [0, 1].every((axis) => {
    const along = stroke.map((point) => point[axis]!);
    return Math.fround(Math.max(...along) - Math.min(...along)) <= SIZE;
  });
}

function isSpeck(stroke: Stroke, known: Float32Array, raster: RasterSpec): boolean {
  const middle: Point = [mean(stroke, 0), mean(stroke, 1)];
  const { size } = raster;
  const pixels = (size - 1 - 2 * raster.margin) / CANVAS_SIZE;
  const [column, row] = middle.map((at) =>
    Math.min(size - 1, Math.max(0, Math.round((at - CANVAS_SIZE / 2) * pixels + (size - 1) / 2))),
  ) as [number, number];
  let most = 0;
  for (let y = Math.max(0, row - 1); y <= Math.min(size - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(size - 1, column + 1); x++) {
      most = Math.max(most, known[y * size + x]!);
    }
  }
  return most < INK;
}

function mean(stroke: Stroke, axis: 0 | 1): number {
  return stroke.reduce((sum, point) => sum + point[axis], 0) / stroke.length;
}

/** From a point to the nearest place on a polyline. */
function distance(point: Point, stroke: Stroke): number {
  return Math.min(...stroke.slice(1).map((to, index) => distanceToSegment(point, stroke[index]!, to)));
}
