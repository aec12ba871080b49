import { CANVAS_SIZE, distanceToSegment } from "./geometry";
import type { RasterSpec } from "./raster";
import type { Point, Stroke } from "./types";

/** Extent in canvas units up to which a stroke can be a speck. */
const SIZE = 8;
/** Imagined ink, of 1, that a place within a pixel must have for a stroke of that size to stay. */
const INK = 0.4;
/** Canvas units to the nearest other stroke; what is nearer than that shows nothing. */
const APART = 3;

/**
 * Strokes in the frame of the model's canvas without specks, which a decoder leaves where it set the pen down in vain:
 * `drawing/specks.py`, number for number. Strokes with one of the first `given` points stay.
 */
export function withoutSpecks(
  strokes: readonly Stroke[],
  imagined: Float32Array,
  raster: RasterSpec,
  given: number,
): readonly Stroke[] {
  const large = strokes.filter((stroke) => !isTiny(stroke));
  let begin = 0;
  const kept = strokes.filter((stroke) => {
    const own = begin < given;
    begin += stroke.length;
    return own || !isTiny(stroke) || !isSpeck(stroke, large, imagined, raster);
  });
  return kept.length > 0 ? kept : strokes;
}

function isTiny(stroke: Stroke): boolean {
  return [0, 1].every((axis) => {
    const along = stroke.map((point) => point[axis]!);
    return Math.fround(Math.max(...along) - Math.min(...along)) <= SIZE;
  });
}

function isSpeck(stroke: Stroke, others: readonly Stroke[], imagined: Float32Array, raster: RasterSpec): boolean {
  const middle: Point = [mean(stroke, 0), mean(stroke, 1)];
  const { size } = raster;
  const pixels = (size - 1 - 2 * raster.margin) / CANVAS_SIZE;
  const [column, row] = middle.map((at) =>
    Math.min(size - 1, Math.max(0, Math.round((at - CANVAS_SIZE / 2) * pixels + (size - 1) / 2))),
  ) as [number, number];
  let most = 0;
  for (let y = Math.max(0, row - 1); y <= Math.min(size - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(size - 1, column + 1); x++) {
      most = Math.max(most, imagined[y * size + x]!);
    }
  }
  return most < INK || others.some((other) => distance(middle, other) < APART);
}

function mean(stroke: Stroke, axis: 0 | 1): number {
  return stroke.reduce((sum, point) => sum + point[axis], 0) / stroke.length;
}

/** From a point to the nearest place on a polyline. */
function distance(point: Point, stroke: Stroke): number {
  return Math.min(...stroke.slice(1).map((to, index) => distanceToSegment(point, stroke[index]!, to)));
}
