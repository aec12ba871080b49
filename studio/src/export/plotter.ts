import type { Point, Stroke } from "../core/types";

export interface Sorted {
  /** Index of each stroke, in the new order. */
  readonly order: readonly number[];
  readonly strokes: readonly Stroke[];
  /** Way of the lifted pen before and after, in units of the drawing. */
  readonly before: number;
  readonly after: number;
}

/**
 * Strokes in an order, and each in a direction, with less way for the lifted pen: always the nearest end next, pen by pen.
 * pens: which pen draws each stroke, for drawings of several.
 */
export function sortedForPlotter(strokes: readonly Stroke[], pens: readonly unknown[] = []): Sorted {
  const left = new Set(strokes.keys());
  const order: number[] = [];
  const found: Stroke[] = [];
  let at: Point | undefined = strokes[0]?.[0];
  while (left.size > 0) {
    const pen = pens[order.at(-1) ?? 0];
    const ofPen = [...left].filter((index) => pens[index] === pen);
    let [best, least, turned] = [-1, Infinity, false];
    for (const index of ofPen.length > 0 ? ofPen : left) {
      const stroke = strokes[index]!;
      const [toStart, toEnd] = [apart(at, stroke[0]), apart(at, stroke.at(-1))];
      if (Math.min(toStart, toEnd) < least) [best, least, turned] = [index, Math.min(toStart, toEnd), toEnd < toStart];
    }
    left.delete(best);
    order.push(best);
    const stroke = strokes[best]!;
    found.push(turned ? [...stroke].reverse() : stroke);
    at = turned ? stroke[0] : stroke.at(-1);
  }
  return { order, strokes: found, before: wayInTheAir(strokes), after: wayInTheAir(found) };
}

function wayInTheAir(strokes: readonly Stroke[]): number {
  return strokes.reduce((sum, stroke, index) => sum + (index > 0 ? apart(strokes[index - 1]!.at(-1), stroke[0]) : 0), 0);
}

function apart(a: Point | undefined, b: Point | undefined): number {
  return a && b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
}
