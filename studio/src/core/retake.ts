import { CANVAS_SIZE } from "./geometry";
import { type RasterSpec, renderPixels } from "./raster";
import { ROW, type State, type Values } from "./runtime";
import type { Point } from "./types";

/** Points from which on a stroke is a scribble. */
export const LONG = 60;
/** What a stroke must bring, of what it brings at most; less and less after each attempt. */
const EXACT = 0.9;
/** What it must bring besides, in pixels of ink: a dot brings about one, a repeat nothing. */
const LEAST = 0.3;
/** Missing ink that is worth a stroke. */
const MISSING = 0.3;

/** Where one drawing stood when its last stroke was finished, and the picture it looks at: `drawing/retake.py`. */
export interface Take {
  /** Ink in 0..1. */
  readonly picture: Float32Array;
  /** Ink in 0..1 of the strokes so far. */
  paper: Float32Array;
  /** The numbers of each part of the state that moves, before the last row is handed to the decoder. */
  moving: Float32Array[];
  /** The last row. */
  row: Float32Array;
  /** Points so far. */
  at: number;
  /** How often the next stroke can be taken back. */
  left: number;
  /** Strokes that were taken back so far. */
  taken: number;
  /** Ink of the picture that is more than a pixel from the paper's. */
  missing: number;
}

/** Ink in 0..1 of strokes in canvas units from the centre. */
export function inkOnPaper(strokes: readonly (readonly Point[])[], raster: RasterSpec): Float32Array {
  const { size, margin } = raster;
  const pixels = (size - 1 - 2 * margin) / CANVAS_SIZE;
  const middle = (size - 1) / 2;
  const placed = strokes.map((stroke) => stroke.map(([x, y]): Point => [x * pixels + middle, y * pixels + middle]));
  return Float32Array.from(renderPixels(placed, raster), (value) => value / 255);
}

/** Whether a stroke brings a drawing near enough to its picture, of which `after` is the paper with it. */
export function isWorthIt({ picture, paper, left }: Take, after: Float32Array, retakes: number): boolean {
  const { gain, laid } = broughtBy(picture, paper, after);
  return gain > ((LEAST + EXACT * laid) * left) / retakes;
}

/** By how much paper came nearer to a picture, and the ink that was laid; both as sums of squares. */
export function broughtBy(
  picture: Float32Array,
  before: Float32Array,
  after: Float32Array,
): { readonly gain: number; readonly laid: number } {
  let gain = 0;
  let laid = 0;
  picture.forEach((wanted, pixel) => {
    gain += (before[pixel]! - wanted) ** 2 - (after[pixel]! - wanted) ** 2;
    laid += (after[pixel]! - before[pixel]!) ** 2;
  });
  return { gain, laid };
}

/** Whether a drawing with so many points stands between two strokes, and should not end there yet. */
export function lacks({ missing, at, left }: Take, points: number, retakes: number): boolean {
  return missing > MISSING && at === points && left > Math.floor(retakes / 2);
}

/** Ink, as the sum of its squares, of a picture that is more than a pixel from the paper's. */
export function missingInk(picture: Float32Array, paper: Float32Array, { size }: RasterSpec): number {
  const most = (values: Float32Array, at: number, stride: number, place: number): number =>
    Math.max(values[at]!, place > 0 ? values[at - stride]! : 0, place < size - 1 ? values[at + stride]! : 0);
  const across = paper.map((_, pixel) => most(paper, pixel, 1, pixel % size));
  return picture.reduce((sum, wanted, pixel) => {
    return sum + Math.max(0, wanted - most(across, pixel, size, Math.floor(pixel / size))) ** 2;
  }, 0);
}

/** The drawing's last stroke stays: the next one begins from here. */
export function keepStroke(take: Take, after: Float32Array, state: State, index: number, row: Float32Array): void {
  take.paper = after;
  take.moving = movingOf(state, index);
  take.row = row.slice();
}

/** The drawing's last stroke goes: its state and last row are again those from before it. */
export function takeBack(take: Take, state: State, index: number, row: Float32Array): void {
  take.left -= 1;
  take.taken += 1;
  state.moving.forEach((values, part) => values.data.set(take.moving[part]!, index * widthOf(values)));
  row.set(take.row);
}

/** What moves of the state of one of n drawings. */
export function movingOf({ moving }: State, index: number): Float32Array[] {
  return moving.map((values) => {
    const width = widthOf(values);
    return values.data.slice(index * width, (index + 1) * width);
  });
}

export function rowAt(rows: Float32Array, index: number): Float32Array {
  return rows.subarray(index * ROW, (index + 1) * ROW);
}

function widthOf({ dims }: Values): number {
  return dims.slice(1).reduce((product, size) => product * size, 1);
}
