import { boundsOf, distanceToSegment, type Frame, frameOf, pointCount, reframed, simplified } from "../core/geometry";
import type { Drawing, Point, Stroke } from "../core/types";

/** Who drew a stroke: a person, in graphite, or the model, in blue pencil. */
export type Author = "person" | "model";

/** A stroke on the page. Page units: the shorter side of the paper is 1000, its middle is (0, 0). */
export interface InkStroke {
  readonly points: Stroke;
  /** Of the pen at each point, 0..1; left out where the device has none. */
  readonly pressure?: readonly number[];
  readonly by: Author;
}

export type Ink = readonly InkStroke[];

export const PAGE_SIDE = 1000;
/** Longest side of a drawing that is put on the page. */
const PUT_SIDE = 760;

export function drawingOf(ink: Ink): Drawing {
  return { strokes: ink.map(({ points }) => points) };
}

/** Points that a model is given at most: it reads them one by one, and has learned from drawings of fewer. */
const MOST_POINTS = 250;

/** The ink as a model is given it: simplified, no more than is needed to stay below `MOST_POINTS`. */
export function modelDrawing(ink: Ink): Drawing {
  let strokes = drawingOf(ink).strokes;
  const { side } = frameOf(strokes);
  for (let epsilon = side / 512; pointCount(strokes) > MOST_POINTS && epsilon < side / 8; epsilon *= 1.5) {
    strokes = simplified(strokes, epsilon);
  }
  return { strokes };
}

export function authorOf(ink: Ink): Author {
  return ink.every(({ by }) => by === "model") ? "model" : "person";
}

export function inkOf(drawing: Drawing, by: Author): Ink {
  return drawing.strokes.map((points) => ({ points, by }));
}

/** A drawing moved and scaled into the middle of the page. */
export function onPage(drawing: Drawing): Drawing {
  const to: Frame = { side: PUT_SIDE, centre: [0, 0] };
  return { ...drawing, strokes: reframed(drawing.strokes, frameOf(drawing.strokes), to) };
}

/** Where the page lies on the screen: screen = page * scale + offset, in CSS pixels. */
export interface PageView {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** The part of the paper that drawings are put on, in CSS pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The whole page in the area, and all of the drawing where it goes beyond the page. */
export function viewOf({ left, top, width, height }: Area, ink: Ink): PageView {
  const bounds = boundsOf(ink.map(({ points }) => points));
  const usual = Math.max(1e-6, Math.min(width, height) / PAGE_SIDE);
  const [x, y] = [left + width / 2, top + height / 2];
  if (bounds === null) return { scale: usual, x, y };
  const reach = (near: number, far: number, side: number): number =>
    Math.max(1, side / 2) / Math.max(1, Math.abs(near), Math.abs(far));
  const fitting = Math.min(reach(bounds.left, bounds.right, width), reach(bounds.top, bounds.bottom, height));
  return { scale: Math.min(usual, fitting), x, y };
}

export function toPage({ scale, x, y }: PageView, screenX: number, screenY: number): Point {
  return [(screenX - x) / scale, (screenY - y) / scale];
}

/** The ink without the strokes that a movement of the eraser touches. The same object where it touches none. */
export function erased(ink: Ink, from: Point, to: Point, radius: number): Ink {
  const left = ink.filter((stroke) => !touches(stroke.points, from, to, radius));
  return left.length === ink.length ? ink : left;
}

function touches(points: Stroke, from: Point, to: Point, radius: number): boolean {
  return points.some((point, index) => {
    const before = points[index - 1] ?? point;
    return (
      distanceToSegment(point, from, to) <= radius ||
      distanceToSegment(from, before, point) <= radius ||
      distanceToSegment(to, before, point) <= radius ||
      crosses(before, point, from, to)
    );
  });
}

function crosses(a: Point, b: Point, c: Point, d: Point): boolean {
  const side = (p: Point, q: Point, r: Point): number => (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

/** As text for the browser's storage: a tenth of a page unit is less than a pixel. */
export function packInk(ink: Ink): string {
  const round = (value: number, steps: number): number => Math.round(value * steps) / steps;
  return JSON.stringify(
    ink.map(({ points, pressure, by }) => ({
      by,
      p: points.flatMap(([x, y]) => [round(x, 10), round(y, 10)]),
      ...(pressure && { w: pressure.map((value) => round(value, 100)) }),
    })),
  );
}

/** What `packInk` wrote, or null for anything else. */
export function unpackInk(text: string): Ink | null {
  try {
    const strokes = JSON.parse(text) as { by: unknown; p: unknown; w?: unknown }[];
    return strokes.map(({ by, p, w }) => {
      const flat = numbersOf(p);
      const points = Array.from({ length: flat.length / 2 }, (_, i): Point => [flat[2 * i]!, flat[2 * i + 1]!]);
      if (points.length === 0) throw new TypeError("a stroke without points");
      const pressure = w === undefined ? null : numbersOf(w);
      return {
        points,
        by: by === "model" ? "model" : "person",
        ...(pressure?.length === points.length && { pressure }),
      };
    });
  } catch {
    return null;
  }
}

function numbersOf(value: unknown): number[] {
  if (!Array.isArray(value) || !value.every((one) => Number.isFinite(one))) throw new TypeError("no numbers");
  return value as number[];
}
