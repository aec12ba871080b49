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
/** What each attempt that failed adds to the temperature at which the begin of the next one is drawn. */
const WARMER = 0.05;
/** Attempts that fail before the next one begins where ink is missing. */
const SEEKS = 3;
/** Missing ink of a pixel in which a stroke can begin. */
const SHOWS = 0.2;
/** Exponent of the decoder's density where a place is chosen among those where ink is missing. */
const OPINION = 0.25;

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
  /** How often a stroke can be taken back; 0 where there is no picture. */
  readonly most: number;
  /** How often the next stroke still can. */
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
export function isWorthIt({ picture, paper, most, left }: Take, after: Float32Array): boolean {
  const { gain, laid } = broughtBy(picture, paper, after);
  return gain > ((LEAST + EXACT * laid) * left) / most;
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
export function lacks({ missing, at, most, left }: Take, points: number): boolean {
  return missing > MISSING && at === points && left > Math.floor(most / 2);
}

/** What is added to the temperature of the next offset of a drawing with so many points. */
export function warmth({ at, most, left }: Take, points: number): number {
  return at === points ? WARMER * (most - left) : 0;
}

/** Whether a drawing with so many points sets the pen down where ink is missing. */
export function seeks({ missing, at, most, left }: Take, points: number): boolean {
  return missing > MISSING && at === points && most - left >= SEEKS && left > 0;
}

/** A place where ink is missing, in canvas units from the centre, and the log of how much. */
export interface Begin {
  readonly x: number;
  readonly y: number;
  readonly ink: number;
}

/** Where ink of a drawing is missing. */
export function beginsOf({ picture, paper }: Pick<Take, "picture" | "paper">, raster: RasterSpec): Begin[] {
  const { size, margin } = raster;
  const [middle, pixels] = [(size - 1) / 2, (size - 1 - 2 * margin) / CANVAS_SIZE];
  const left = (row: number, column: number): number => {
    if (Math.min(row, column) < 0 || Math.max(row, column) >= size) return 0;
    return Math.max(picture[row * size + column]! - paper[row * size + column]!, 0);
  };
  return Array.from(missingOf(picture, paper, raster)).flatMap((missing, pixel): Begin[] => {
    if (missing <= SHOWS) return [];
    const [row, column] = [Math.floor(pixel / size), pixel % size];
    let [sum, x, y] = [0, 0, 0];
    for (const down of [-1, 0, 1]) {
      for (const across of [-1, 0, 1]) {
        const ink = left(row + down, column + across);
        sum += ink;
        x += ink * across;
        y += ink * down;
      }
    }
    return [{ x: (column + x / sum - middle) / pixels, y: (row + y / sum - middle) / pixels, ink: Math.log(missing) }];
  });
}

/** One of the places, by the decoder's log densities of them and a chance in [0, 1). */
export function chooseBegin(begins: readonly Begin[], opinion: readonly number[], chance: number): number {
  const logits = begins.map(({ ink }, index) => OPINION * opinion[index]! + ink);
  const highest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const weights = logits.map((value) => Math.exp(value - highest));
  const wanted = chance * weights.reduce((sum, weight) => sum + weight, 0);
  let cumulative = 0;
  const chosen = weights.findIndex((weight) => (cumulative += weight) > wanted);
  return chosen < 0 ? weights.length - 1 : chosen;
}

/** Ink of a picture beyond what the paper has within a pixel. */
function missingOf(picture: Float32Array, paper: Float32Array, { size }: RasterSpec): Float32Array {
  const most = (values: Float32Array, at: number, stride: number, place: number): number =>
    Math.max(values[at]!, place > 0 ? values[at - stride]! : 0, place < size - 1 ? values[at + stride]! : 0);
  const across = paper.map((_, pixel) => most(paper, pixel, 1, pixel % size));
  return picture.map((wanted, pixel) => Math.max(0, wanted - most(across, pixel, size, Math.floor(pixel / size))));
}

/** The same of the whole picture, as the sum of its squares. */
export function missingInk(picture: Float32Array, paper: Float32Array, raster: RasterSpec): number {
  return missingOf(picture, paper, raster).reduce((sum, value) => sum + value ** 2, 0);
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
