import { CANVAS_SIZE } from "./geometry";
import type { RasterSpec } from "./raster";

/** Places along a line that are looked at, beside its end. */
const ALONG = [0.2, 0.4, 0.6, 0.8];
/** Weight of the end of a line. */
const END = 0.4;
/** Share of the ink at the end that counts no more where all of it is drawn: of a line, and of a jump with the pen up. */
const AGAIN = 0.5;
const AGAIN_JUMP = 0.7;
/** Tally, in cell sides, whose inverse is taken for drawn. */
const FULL = 2;
/** Logits for ink of 1. */
const SHARPNESS = 8;

/** What one drawing sees before its next row: `drawing/aim.py`. */
export interface Sight {
  /** What is to be drawn, `size * size` in 0..1. */
  readonly ink: Float32Array;
  /** What is drawn, `nodes * nodes`. */
  readonly tally: Float32Array;
  /** Where the pen is, in canvas units from the centre. */
  readonly x: number;
  readonly y: number;
  readonly down: boolean;
}

/** The logit of an offset in canvas units: the more of it there is to draw, the higher. */
export function aim({ ink, tally, x, y, down }: Sight, dx: number, dy: number, raster: RasterSpec): number {
  const { size, margin } = raster;
  const pixelsPerUnit = (size - 1 - 2 * margin) / CANVAS_SIZE;
  const middle = (size - 1) / 2;
  const nodes = Math.round(Math.sqrt(tally.length));
  const at = (share: number): [number, number] => [
    x * pixelsPerUnit + middle + share * dx * pixelsPerUnit,
    y * pixelsPerUnit + middle + share * dy * pixelsPerUnit,
  ];
  const [endX, endY] = at(1);
  const toNodes = (nodes - 1) / size;
  const end = read(ink, size, endX, endY);
  const laid = Math.tanh(FULL * read(tally, nodes, (endX + 0.5) * toNodes, (endY + 0.5) * toNodes));
  if (!down) return SHARPNESS * end * (1 - AGAIN_JUMP * laid);
  const along = ALONG.reduce((sum, share) => sum + read(ink, size, ...at(share)), 0) / ALONG.length;
  return SHARPNESS * ((1 - END) * along + END * end * (1 - AGAIN * laid));
}

/** A grid between its numbers; 0 outside. */
function read(grid: Float32Array, side: number, x: number, y: number): number {
  if (x < 0 || y < 0 || x > side - 1 || y > side - 1) return 0;
  const [lowX, lowY] = [Math.min(x, side - 1.001), Math.min(y, side - 1.001)];
  const [column, row] = [Math.floor(lowX), Math.floor(lowY)];
  const [right, down] = [lowX - column, lowY - row];
  const from = row * side + column;
  const above = grid[from]! * (1 - right) + grid[from + 1]! * right;
  const below = grid[from + side]! * (1 - right) + grid[from + side + 1]! * right;
  return above * (1 - down) + below * down;
}
