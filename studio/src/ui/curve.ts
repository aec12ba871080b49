import type { Point, Stroke } from "../core/types";

/** Turns sharper than this stay corners. */
const CORNER = Math.cos((55 * Math.PI) / 180);

/** A stroke as it is drawn: a fine line of points, each with the distance along it and the pressure there. */
export interface Curve {
  readonly xs: Float32Array;
  readonly ys: Float32Array;
  readonly along: Float32Array;
  readonly pressure: Float32Array | null;
  readonly length: number;
}

const known = new WeakMap<Stroke, Curve>();

/** The smooth line through a stroke: rounded where people's lines are round, sharp at its corners. */
export function curveOf(stroke: Stroke, pressure?: readonly number[]): Curve {
  const before = known.get(stroke);
  if (before && (before.pressure !== null) === (pressure !== undefined)) return before;
  const curve = smoothed(stroke, pressure);
  known.set(stroke, curve);
  return curve;
}

function smoothed(stroke: Stroke, pressure?: readonly number[]): Curve {
  const xs: number[] = [];
  const ys: number[] = [];
  const widths: number[] = [];
  const add = (x: number, y: number, width: number): void => {
    xs.push(x);
    ys.push(y);
    widths.push(width);
  };
  const first = stroke[0]!;
  add(first[0], first[1], pressure?.[0] ?? 0);
  for (let index = 1; index < stroke.length - 1; index++) {
    const [before, here, after] = [stroke[index - 1]!, stroke[index]!, stroke[index + 1]!];
    const width = pressure?.[index] ?? 0;
    if (isCorner(before, here, after)) {
      add(here[0], here[1], width);
      continue;
    }
    const [ax, ay] = middle(before, here);
    const [bx, by] = middle(here, after);
    const [fromWidth, toWidth] = [
      (width + (pressure?.[index - 1] ?? 0)) / 2,
      (width + (pressure?.[index + 1] ?? 0)) / 2,
    ];
    const steps = stroke.length > 400 ? 2 : 6;
    for (let step = 0; step <= steps; step++) {
      const t = step / steps;
      const [a, b, c] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
      add(a * ax + b * here[0] + c * bx, a * ay + b * here[1] + c * by, a * fromWidth + b * width + c * toWidth);
    }
  }
  const last = stroke[stroke.length - 1]!;
  if (stroke.length > 1) add(last[0], last[1], pressure?.[stroke.length - 1] ?? 0);
  const along = new Float32Array(xs.length);
  for (let i = 1; i < xs.length; i++) along[i] = along[i - 1]! + Math.hypot(xs[i]! - xs[i - 1]!, ys[i]! - ys[i - 1]!);
  return {
    xs: Float32Array.from(xs),
    ys: Float32Array.from(ys),
    along,
    pressure: pressure ? Float32Array.from(widths) : null,
    length: along[along.length - 1]!,
  };
}

function middle(a: Point, b: Point): Point {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

function isCorner(before: Point, here: Point, after: Point): boolean {
  const [ax, ay] = [here[0] - before[0], here[1] - before[1]];
  const [bx, by] = [after[0] - here[0], after[1] - here[1]];
  const lengths = Math.hypot(ax, ay) * Math.hypot(bx, by);
  return lengths > 0 && (ax * bx + ay * by) / lengths < CORNER;
}
