import { type Bounds, boundsOf, distanceToSegment } from "../core/geometry";
import type { Point, Stroke } from "../core/types";
import type { Ink } from "./ink";
import type { Sheet } from "./sheet";

/** Between strokes and the box about them, and half of the handle's side, in CSS pixels. */
const [PAD, HANDLE] = [10, 7];
/** A movement shorter than this is a tap, in CSS pixels. */
const TAP = 5;
/** Least factor that a handle scales by. */
const LEAST = 0.05;

type Gesture =
  | { readonly kind: "choose"; readonly from: Point; to: Point }
  | { readonly kind: "move" | "scale"; readonly from: Point; readonly before: Ink; readonly box: Bounds };

/** The strokes that are chosen on a sheet: moved, scaled and taken away together. */
export class Selection {
  private chosen: readonly number[] = [];
  private gesture: Gesture | null = null;
  private isOwn = false;

  constructor(private readonly sheet: Sheet) {
    sheet.ink.watch(() => {
      if (!this.isOwn) this.chosen = [];
    });
  }

  get isEmpty(): boolean {
    return this.chosen.length === 0;
  }

  none(): void {
    this.chosen = [];
  }

  all(): void {
    this.chosen = [...this.sheet.ink.value.keys()];
  }

  /** unit: a CSS pixel in page units. */
  begin(at: Point, unit: number): void {
    const box = this.boxOf(this.sheet.ink.value);
    const before = this.sheet.ink.value;
    const pad = PAD * unit;
    if (box && Math.hypot(at[0] - box.right - pad, at[1] - box.bottom - pad) <= 3 * HANDLE * unit) {
      this.gesture = { kind: "scale", from: at, before, box };
    } else if (box && within(at, box, pad)) {
      this.gesture = { kind: "move", from: at, before, box };
    } else {
      this.gesture = { kind: "choose", from: at, to: at };
    }
  }

  move(at: Point): void {
    const { gesture } = this;
    if (!gesture) return;
    if (gesture.kind === "choose") gesture.to = at;
    else this.replace(this.changed(gesture.before, changeOf(gesture, at)));
  }

  end(unit: number): void {
    const { gesture } = this;
    this.gesture = null;
    if (!gesture) return;
    if (gesture.kind === "choose") {
      const { from, to } = gesture;
      const isTap = Math.hypot(to[0] - from[0], to[1] - from[1]) < TAP * unit;
      this.chosen = isTap ? strokeAt(this.sheet.ink.value, from, 2 * PAD * unit) : strokesIn(this.sheet.ink.value, from, to);
      return;
    }
    // However many movements it took, it is one step to undo.
    const after = this.sheet.ink.value;
    this.replace(gesture.before);
    this.commit(after);
  }

  cancel(): void {
    if (this.gesture && this.gesture.kind !== "choose") this.replace(this.gesture.before);
    this.gesture = null;
  }

  nudge(dx: number, dy: number): void {
    this.commit(this.changed(this.sheet.ink.value, ([x, y]) => [x + dx, y + dy]));
  }

  scale(factor: number): void {
    const box = this.boxOf(this.sheet.ink.value);
    if (!box) return;
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    this.commit(this.changed(this.sheet.ink.value, about([x, y], factor)));
  }

  remove(): void {
    const left = this.sheet.ink.value.filter((_, index) => !this.chosen.includes(index));
    this.chosen = [];
    this.sheet.change(left);
  }

  /** The box about what is chosen, its handle, and the rectangle that is being drawn. */
  paint(context: CanvasRenderingContext2D, unit: number): void {
    const { gesture } = this;
    context.lineWidth = 1.5 * unit;
    context.setLineDash([5 * unit, 4 * unit]);
    if (gesture?.kind === "choose") {
      const { from, to } = gesture;
      context.strokeRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
    }
    const box = this.boxOf(this.sheet.ink.value);
    if (box) {
      const [pad, half] = [PAD * unit, HANDLE * unit];
      context.strokeRect(box.left - pad, box.top - pad, box.right - box.left + 2 * pad, box.bottom - box.top + 2 * pad);
      context.fillRect(box.right + pad - half, box.bottom + pad - half, 2 * half, 2 * half);
    }
    context.setLineDash([]);
  }

  private boxOf(ink: Ink): Bounds | null {
    return boundsOf(this.chosen.flatMap((index) => (ink[index] ? [ink[index].points] : [])));
  }

  private changed(ink: Ink, change: (point: Point) => Point): Ink {
    return ink.map((stroke, index) =>
      this.chosen.includes(index) ? { ...stroke, points: stroke.points.map(change) } : stroke,
    );
  }

  private replace(ink: Ink): void {
    this.isOwn = true;
    this.sheet.ink.value = ink;
    this.isOwn = false;
  }

  private commit(ink: Ink): void {
    this.isOwn = true;
    this.sheet.change(ink);
    this.isOwn = false;
  }
}

function changeOf({ kind, from, box }: Gesture & { kind: "move" | "scale" }, [x, y]: Point): (point: Point) => Point {
  if (kind === "move") return (point) => [point[0] + x - from[0], point[1] + y - from[1]];
  const side = Math.max(1, Math.hypot(from[0] - box.left, from[1] - box.top));
  return about([box.left, box.top], Math.max(LEAST, Math.hypot(x - box.left, y - box.top) / side));
}

function about([x, y]: Point, factor: number): (point: Point) => Point {
  return (point) => [x + factor * (point[0] - x), y + factor * (point[1] - y)];
}

function within([x, y]: Point, { left, top, right, bottom }: Bounds, pad: number): boolean {
  return x >= left - pad && x <= right + pad && y >= top - pad && y <= bottom + pad;
}

/** The stroke nearest to a place, within reach: its index, alone or none. */
function strokeAt(ink: Ink, at: Point, reach: number): readonly number[] {
  let [nearest, least] = [-1, reach];
  ink.forEach(({ points }, index) => {
    const distance = distanceTo(points, at);
    if (distance <= least) [nearest, least] = [index, distance];
  });
  return nearest < 0 ? [] : [nearest];
}

function distanceTo(points: Stroke, at: Point): number {
  return Math.min(...points.map((point, index) => distanceToSegment(at, points[index - 1] ?? point, point)));
}

/** Strokes of which most points lie in the rectangle between two corners. */
function strokesIn(ink: Ink, [ax, ay]: Point, [bx, by]: Point): readonly number[] {
  const box = { left: Math.min(ax, bx), top: Math.min(ay, by), right: Math.max(ax, bx), bottom: Math.max(ay, by) };
  return [...ink.keys()].filter((index) => {
    const { points } = ink[index]!;
    return points.filter((point) => within(point, box, 0)).length > points.length / 2;
  });
}
