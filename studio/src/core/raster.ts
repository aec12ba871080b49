import { boundsOf, CANVAS_SIZE } from "./geometry";
import type { ModelInfo } from "./runtime";
import type { Drawing, Point, Stroke } from "./types";

/** How ink is drawn for the encoder: anti-aliased, centred, aspect kept; travels with the model. */
export interface RasterSpec {
  /** Side of the square picture, in pixels. */
  readonly size: number;
  /** Width of the line, in pixels. */
  readonly line: number;
  /** Paper left free on each side of the longest side, in pixels. */
  readonly margin: number;
}

export const DEFAULT_RASTER: RasterSpec = { size: 48, line: 1, margin: 1.5 };

/** Models were trained on coordinates of 1/16 of a pixel. */
const FRACTION = 16;

// Opacity of a line of one pixel at a distance of d pixels: PEAK exp(-(d / WIDTH) ** SHAPE), laid on twice. Fitted to
// lines of 17 slopes and 16 places within a pixel as OpenCV draws them, whose pixels it meets within one level of 255.
const PEAK = 0.69;
const WIDTH = 0.752;
const SHAPE = 2.06;
const OFFSET = 0.012;

/** Ink `size * size`, 0 = paper, 255 = line, of a drawing, which is fitted first. Without strokes it is blank. */
export function render(drawing: Drawing, spec: RasterSpec = DEFAULT_RASTER): Uint8Array {
  const { size, margin } = spec;
  const bounds = boundsOf(drawing.strokes);
  if (bounds === null) return new Uint8Array(size * size);
  const side = Math.max(bounds.right - bounds.left, bounds.bottom - bounds.top);
  const scale = side > 0 ? (size - 1 - 2 * margin) / side : 1;
  const x = (size - 1) / 2 - (scale * (bounds.left + bounds.right)) / 2;
  const y = (size - 1) / 2 - (scale * (bounds.top + bounds.bottom)) / 2;
  return renderPixels(
    drawing.strokes.map((stroke) => stroke.map((point): Point => [point[0] * scale + x, point[1] * scale + y])),
    spec,
  );
}

/** Ink `size * size`, 0 = paper, 255 = line, of strokes whose coordinates are pixels. */
export function renderPixels(strokes: readonly Stroke[], { size, line }: RasterSpec): Uint8Array {
  const ink = new Float32Array(size * size);
  for (const stroke of strokes) {
    const points = visible(stroke);
    for (let index = 1; index < points.length; index++) drawLine(ink, size, points[index - 1]!, points[index]!, line);
  }
  return Uint8Array.from(ink, (value) => Math.round(255 * value));
}

/** Ink `size * size` in 0..1 of a drawing, as networks take it. */
export function shadesOf(drawing: Drawing, spec: RasterSpec): Float32Array {
  return Float32Array.from(render(drawing, spec), (value) => value / 255);
}

/** Ink `size * size` in 0..1 of points (dx, dy, lift) in model units, from the point `first` on. */
export function inkOfPoints(points: Float32Array, { raster, sequence }: ModelInfo, first = 0): Float32Array {
  const perUnit = Math.fround((raster.size - 1 - 2 * raster.margin) / CANVAS_SIZE);
  const [unit, middle] = [Math.fround(sequence.scale), (raster.size - 1) / 2];
  const pixel = (value: number): number => Math.fround(Math.fround(Math.fround(value * unit) * perUnit) + middle);
  const strokes: Point[][] = [[]];
  let [x, y] = [0, 0];
  for (let at = 0; at < points.length; at += 3) {
    x = Math.fround(x + points[at]!);
    y = Math.fround(y + points[at + 1]!);
    if (at < 3 * first) continue;
    strokes.at(-1)!.push([pixel(x), pixel(y)]);
    if (points[at + 2]! > 0.5 && at + 3 < points.length) strokes.push([]);
  }
  return Float32Array.from(renderPixels(strokes, raster), (value) => value / 255);
}

/** Ink of a picture in 0..1 beyond what the paper has within a pixel, the sum of its squares. */
export function missingInk(picture: Float32Array, paper: Float32Array, { size }: RasterSpec): number {
  let sum = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const wanted = picture[y * size + x]!;
      if (wanted === 0) continue;
      let most = 0;
      for (let v = Math.max(0, y - 1); v <= Math.min(size - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(size - 1, x + 1); u++) most = Math.max(most, paper[v * size + u]!);
      }
      sum += Math.max(0, wanted - most) ** 2;
    }
  }
  return sum;
}

/** The stroke on its grid; one smaller than a pixel as large as one. */
function visible(stroke: Stroke): Stroke {
  if (stroke.length === 0) return [];
  return grown(stroke).map(([x, y]) => [Math.round(x * FRACTION) / FRACTION, Math.round(y * FRACTION) / FRACTION]);
}

function grown(stroke: Stroke): Stroke {
  const [left, right] = extent(stroke.map(([x]) => x));
  const [top, bottom] = extent(stroke.map(([, y]) => y));
  const size = Math.hypot(right - left, bottom - top);
  if (size >= 1) return stroke;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  if (size > 0) return stroke.map((point): Point => [x + (point[0] - x) / size, y + (point[1] - y) / size]);
  return [
    [x - 0.5, y],
    [x + 0.5, y],
  ];
}

function extent(values: readonly number[]): [low: number, high: number] {
  return values.reduce<[number, number]>(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [
    Infinity,
    -Infinity,
  ]);
}

/** Lays a line on the ink, pixel row by pixel row along the axis that it is longer on. */
function drawLine(ink: Float32Array, size: number, from: Point, to: Point, width: number): void {
  const along = Math.abs(to[0] - from[0]) > Math.abs(to[1] - from[1]) ? 0 : 1;
  const across = 1 - along;
  const [begin, end] = from[along]! <= to[along]! ? [from, to] : [to, from];
  const [u0, u1] = [begin[along]!, end[along]!];
  if (u0 === u1) return;
  const slope = (end[across]! - begin[across]!) / (u1 - u0);
  const steepness = Math.sqrt(1 + slope * slope);
  const flat = ((width - 1) / 2) * steepness;
  const reach = Math.ceil(2 + flat);
  const [strideAlong, strideAcross] = along === 0 ? [1, size] : [size, 1];
  for (let u = Math.max(0, Math.ceil(u0 - 1)); u <= Math.min(size - 1, Math.floor(u1 + 1)); u++) {
    const covered = Math.min(1, (Math.min(u1, u + 1) - Math.max(u0, u - 1)) / 2);
    const middle = begin[across]! + slope * (u - u0) - OFFSET;
    const nearest = Math.round(middle);
    for (let v = Math.max(0, nearest - reach); v <= Math.min(size - 1, nearest + reach); v++) {
      const distance = Math.max(0, Math.abs(v - middle) - flat);
      const opacity = Math.min(1, PEAK * steepness * covered * Math.exp(-((distance / WIDTH) ** SHAPE)));
      const at = u * strideAlong + v * strideAcross;
      ink[at] = 1 - (1 - ink[at]!) * (1 - opacity) ** 2;
    }
  }
}
