import type { Drawing, Point, Stroke } from "./types";

/** Longest side of a fitted drawing, in canvas units. */
export const CANVAS_SIZE = 255;

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A square in which a drawing lies: its longest side is the square's. */
export interface Frame {
  readonly side: number;
  readonly centre: Point;
}

/** The bounds of strokes, or null where there is no point. */
export function boundsOf(strokes: readonly Stroke[]): Bounds | null {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const stroke of strokes) {
    for (const [x, y] of stroke) {
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
  }
  return left <= right ? { left, top, right, bottom } : null;
}

/** The square about a drawing; a dot, which has no side, gets that of the canvas. */
export function frameOf(strokes: readonly Stroke[]): Frame {
  const bounds = boundsOf(strokes);
  if (bounds === null) return { side: CANVAS_SIZE, centre: [CANVAS_SIZE / 2, CANVAS_SIZE / 2] };
  const { left, top, right, bottom } = bounds;
  const side = Math.max(right - left, bottom - top);
  return { side: side > 0 ? side : CANVAS_SIZE, centre: [(left + right) / 2, (top + bottom) / 2] };
}

export function pointCount(strokes: readonly Stroke[]): number {
  return strokes.reduce((count, stroke) => count + stroke.length, 0);
}

/** Length of all strokes together, without the ways of the lifted pen. */
export function lengthOf(strokes: readonly Stroke[]): number {
  let sum = 0;
  for (const stroke of strokes) {
    for (let i = 1; i < stroke.length; i++) {
      sum += Math.hypot(stroke[i]![0] - stroke[i - 1]![0], stroke[i]![1] - stroke[i - 1]![1]);
    }
  }
  return sum;
}

/** Every point scaled, then moved. */
export function transformed(strokes: readonly Stroke[], scale: number, dx: number, dy: number): Stroke[] {
  return strokes.map((stroke) => stroke.map(([x, y]): Point => [x * scale + dx, y * scale + dy]));
}

/** Moved and scaled, aspect kept, so that left and top are 0 and the longest side is `size`; a dot only moves. */
export function fitted(drawing: Drawing, size = CANVAS_SIZE): Drawing {
  const bounds = boundsOf(drawing.strokes);
  if (bounds === null) return drawing;
  const side = Math.max(bounds.right - bounds.left, bounds.bottom - bounds.top);
  const scale = side > 0 ? size / side : 1;
  return { ...drawing, strokes: transformed(drawing.strokes, scale, -bounds.left * scale, -bounds.top * scale) };
}

/** The strokes moved and scaled so that they lie in another frame as they do in their own. */
export function reframed(strokes: readonly Stroke[], from: Frame, to: Frame): Stroke[] {
  const scale = to.side / from.side;
  return transformed(strokes, scale, to.centre[0] - from.centre[0] * scale, to.centre[1] - from.centre[1] * scale);
}

/** Ramer-Douglas-Peucker, a stroke at a time: no dropped point is farther than `epsilon` from the line that is kept. */
export function simplified(strokes: readonly Stroke[], epsilon: number): Stroke[] {
  return strokes.map((stroke) => simplifiedStroke(stroke, epsilon));
}

function simplifiedStroke(stroke: Stroke, epsilon: number): Stroke {
  if (stroke.length <= 2) return stroke;
  const kept = new Uint8Array(stroke.length);
  kept[0] = kept[stroke.length - 1] = 1;
  const parts: [begin: number, end: number][] = [[0, stroke.length - 1]];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const [begin, end] = part;
    let farthest = -1;
    let distance = epsilon;
    for (let index = begin + 1; index < end; index++) {
      const apart = distanceToSegment(stroke[index]!, stroke[begin]!, stroke[end]!);
      if (apart > distance) {
        distance = apart;
        farthest = index;
      }
    }
    if (farthest < 0) continue;
    kept[farthest] = 1;
    parts.push([begin, farthest], [farthest, end]);
  }
  return stroke.filter((_, index) => kept[index]);
}

export function distanceToSegment([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  const along = length > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(ax + along * dx - x, ay + along * dy - y);
}
