import { CANVAS_SIZE } from "./geometry";
import type { RasterSpec } from "./raster";
import type { Point, Stroke } from "./types";

// Ink at d pixels from a line of one pixel: PEAK exp(-(d / WIDTH) ** SHAPE).
const PEAK = 0.945;
const WIDTH = 0.79;
const SHAPE = 2.2;
/** A third brings hardly more. */
const STEPS = 2;
/** Cost of a move, in squares of ink a square pixel. */
const STAY = 0.02;
/** Cost of the difference between the moves of two points of a line that follow each other. */
const STIFF = 0.2;
/** The same of a point that is given. */
const FIXED = 1e9;
/** Pixels that a point moves at most, in x and in y. */
const REACH = 1.5;
/** Square pixels below which a length is taken for 0. */
const LEAST = 1e-8;
/** Numbers of a row of a band matrix: a line joins two points that follow each other, of two numbers each. */
const BAND = 4;

interface Place {
  readonly x: number;
  readonly y: number;
  readonly ink: number;
}

/**
 * Strokes in the frame of the model's canvas with their points moved onto the ink of a picture, which is in 0..1:
 * `drawing/settle.py`. The first `given` points stay.
 */
export function settled(
  strokes: readonly Stroke[],
  picture: Float32Array,
  raster: RasterSpec,
  given: number,
): readonly Stroke[] {
  const places = inked(picture, raster.size);
  if (places.length === 0 || strokes.length === 0) return strokes;
  const middle = (raster.size - 1) / 2;
  const pixels = (raster.size - 1 - 2 * raster.margin) / CANVAS_SIZE;
  const start = Float64Array.from(strokes.flat(2), (value) => (value - CANVAS_SIZE / 2) * pixels + middle);
  const lines = linesOf(strokes);
  const moves = new Float64Array(start.length);
  for (let step = 0; step < STEPS; step++) {
    const gradient = new Float64Array(start.length);
    const curvature = new Float64Array(start.length * BAND);
    addCosts(gradient, curvature, moves, lines, given);
    const points = start.map((value, index) => value + moves[index]!);
    for (const place of places) addPull(gradient, curvature, points, lines, place, raster.line - 1);
    solve(curvature, gradient);
    gradient.forEach((value, index) => (moves[index] = Math.min(REACH, Math.max(-REACH, moves[index]! - value))));
  }
  let at = 0;
  const unit = (index: number): number => {
    return Math.fround((start[index]! + moves[index]! - middle) / pixels + CANVAS_SIZE / 2);
  };
  return strokes.map((stroke) => stroke.map((): Point => [unit(at++), unit(at++)]));
}

/** Pixels with ink, and those beside them. */
function inked(picture: Float32Array, size: number): Place[] {
  const has = (x: number, y: number): boolean => x >= 0 && y >= 0 && x < size && y < size && picture[y * size + x]! > 0;
  return Array.from(picture, (ink, pixel) => ({ x: pixel % size, y: Math.floor(pixel / size), ink })).filter(
    ({ x, y }) => [-1, 0, 1].some((down) => [-1, 0, 1].some((across) => has(x + across, y + down))),
  );
}

/** Which points each line joins; a dot is a line from a point to itself. */
function linesOf(strokes: readonly Stroke[]): [from: number, to: number][] {
  const joins: [number, number][] = [];
  const dots: [number, number][] = [];
  let at = 0;
  for (const { length } of strokes) {
    if (length === 1) dots.push([at, at]);
    for (let index = 1; index < length; index++) joins.push([at + index - 1, at + index]);
    at += length;
  }
  return [...joins, ...dots];
}

/** Row by row the lower half of a symmetric matrix, the diagonal last. */
function cellOf(row: number, column: number): number {
  return row * BAND + BAND - 1 - (row - column);
}

/** What moves cost: the matrix of the quadratic form, and its gradient at these moves. */
function addCosts(
  gradient: Float64Array,
  curvature: Float64Array,
  moves: Float64Array,
  lines: readonly (readonly [number, number])[],
  given: number,
): void {
  const add = (row: number, column: number, cost: number): void => {
    curvature[cellOf(row, column)]! += cost;
    gradient[row]! += cost * moves[column]!;
    if (row !== column) gradient[column]! += cost * moves[row]!;
  };
  for (let index = 0; index < moves.length; index++) add(index, index, index < 2 * given ? STAY + FIXED : STAY);
  for (const [from, to] of lines) {
    for (let axis = 0; from !== to && axis < 2; axis++) {
      add(2 * from + axis, 2 * from + axis, STIFF);
      add(2 * to + axis, 2 * to + axis, STIFF);
      add(2 * to + axis, 2 * from + axis, -STIFF);
    }
  }
}

/** What a place, which sees the line nearest to it, adds; `inside` is how many pixels from a line ink is full. */
function addPull(
  gradient: Float64Array,
  curvature: Float64Array,
  points: Float64Array,
  lines: readonly (readonly [number, number])[],
  { x, y, ink }: Place,
  inside: number,
): void {
  let [nearest, squared, share, across, down] = [0, Infinity, 0, 0, 0];
  for (let line = 0; line < lines.length; line++) {
    const [from, to] = lines[line]!;
    const [fromX, fromY] = [points[2 * from]!, points[2 * from + 1]!];
    const [stepX, stepY] = [points[2 * to]! - fromX, points[2 * to + 1]! - fromY];
    const square = Math.max(stepX * stepX + stepY * stepY, LEAST);
    const part = Math.min(1, Math.max(0, ((x - fromX) * stepX + (y - fromY) * stepY) / square));
    const [dx, dy] = [x - fromX - part * stepX, y - fromY - part * stepY];
    const far = dx * dx + dy * dy;
    if (far < squared) [nearest, squared, share, across, down] = [line, far, part, dx, dy];
  }
  const distance = Math.sqrt(Math.max(squared, LEAST));
  const beyond = Math.max(distance - inside, 0) / WIDTH;
  const laid = PEAK * Math.exp(-(beyond ** SHAPE));
  const fall = (laid * (SHAPE / WIDTH) * beyond ** (SHAPE - 1)) / distance;
  const [from, to] = lines[nearest]!;
  // How the ink here changes with x and y of the two ends of the line; where they are one point, with both as one.
  const ends: [number, number][] = [
    [2 * from, fall * across * (1 - share)],
    [2 * from + 1, fall * down * (1 - share)],
    [2 * to, fall * across * share],
    [2 * to + 1, fall * down * share],
  ];
  for (const [row, change] of ends) {
    gradient[row]! += change * (laid - ink);
    for (const [column, other] of ends) if (column <= row) curvature[cellOf(row, column)]! += change * other;
  }
}

/** Solves by Cholesky's method in place: the matrix becomes its root, the right side the solution. */
function solve(matrix: Float64Array, side: Float64Array): void {
  const n = side.length;
  for (let row = 0; row < n; row++) {
    for (let column = Math.max(0, row - BAND + 1); column <= row; column++) {
      let sum = matrix[cellOf(row, column)]!;
      for (let k = Math.max(0, row - BAND + 1); k < column; k++) {
        sum -= matrix[cellOf(row, k)]! * matrix[cellOf(column, k)]!;
      }
      matrix[cellOf(row, column)] = row === column ? Math.sqrt(sum) : sum / matrix[cellOf(column, column)]!;
    }
  }
  for (let row = 0; row < n; row++) {
    for (let k = Math.max(0, row - BAND + 1); k < row; k++) side[row]! -= matrix[cellOf(row, k)]! * side[k]!;
    side[row]! /= matrix[cellOf(row, row)]!;
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < Math.min(n, row + BAND); k++) side[row]! -= matrix[cellOf(k, row)]! * side[k]!;
    side[row]! /= matrix[cellOf(row, row)]!;
  }
}
