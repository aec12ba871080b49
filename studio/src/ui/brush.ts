import { curveOf, type Curve } from "./curve";
import type { Ink } from "./ink";
import type { Stroke } from "../core/types";

/** Width of a line on the page in page units, and in CSS pixels at least. */
const [LINE, FINEST] = [5.5, 2.3];

/** Width of a line in page units, where a page unit is `scale` CSS pixels. */
export function lineWidth(scale: number): number {
  return Math.max(LINE, FINEST / scale);
}

/** Line width where the pen is pressed so hard; 0.5 is the usual one. */
export function widthAt(pressure: number, line: number): number {
  return line * (0.35 + 1.3 * pressure);
}

/** The part of a curve between two distances along it. Widths are in units of the context. */
export function drawCurve(
  context: CanvasRenderingContext2D,
  curve: Curve,
  line: number,
  from = 0,
  to = Infinity,
): void {
  const { xs, ys, along, pressure, length } = curve;
  if (length === 0) {
    if (from > 0) return;
    context.beginPath();
    const radius = (pressure ? widthAt(pressure[0]!, line) : line) * 0.75;
    context.arc(xs[0]!, ys[0]!, radius, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  let index = firstAfter(along, from);
  const start = pointAt(curve, Math.min(from, length), index);
  context.lineWidth = line;
  context.beginPath();
  context.moveTo(start[0], start[1]);
  for (; index < xs.length && along[index]! <= to; index++) {
    context.lineTo(xs[index]!, ys[index]!);
    if (pressure) {
      context.lineWidth = widthAt(pressure[index]!, line);
      context.stroke();
      context.beginPath();
      context.moveTo(xs[index]!, ys[index]!);
    }
  }
  if (index < xs.length) {
    const [x, y] = pointAt(curve, to, index);
    context.lineTo(x, y);
  }
  context.stroke();
}

/** The place at a distance along a curve; `index` is the first point after it. */
function pointAt({ xs, ys, along }: Curve, distance: number, index: number): [number, number] {
  if (index === 0) return [xs[0]!, ys[0]!];
  if (index >= xs.length) return [xs[xs.length - 1]!, ys[ys.length - 1]!];
  const [before, after] = [along[index - 1]!, along[index]!];
  const share = after > before ? (distance - before) / (after - before) : 0;
  return [
    xs[index - 1]! + share * (xs[index]! - xs[index - 1]!),
    ys[index - 1]! + share * (ys[index]! - ys[index - 1]!),
  ];
}

/** Index of the first point that lies farther along than `distance`. */
function firstAfter(along: Float32Array, distance: number): number {
  let [low, high] = [0, along.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (along[half]! <= distance) low = half + 1;
    else high = half;
  }
  return low;
}

export function drawStrokes(context: CanvasRenderingContext2D, strokes: readonly Stroke[], line: number): void {
  for (const stroke of strokes) drawCurve(context, curveOf(stroke), line);
}

export function drawInk(
  context: CanvasRenderingContext2D,
  ink: Ink,
  line: number,
  colours: Record<"person" | "model", string>,
): void {
  for (const { points, pressure, by } of ink) {
    context.strokeStyle = context.fillStyle = colours[by];
    drawCurve(context, curveOf(points, pressure), line);
  }
}

export function roundPen(context: CanvasRenderingContext2D): void {
  context.lineCap = "round";
  context.lineJoin = "round";
}
