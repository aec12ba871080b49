import { CANVAS_SIZE, type Frame, frameOf, reframed, transformed } from "../core/geometry";
import type { Point, Stroke } from "../core/types";

/** Paper on each side of a drawing, as a share of its picture. */
const MARGIN = 0.07;

/** Red, green, blue, 0 to 255. */
export type Colour = readonly [number, number, number];

export const INK = "#222226";
export const PAPER = "#ffffff";

/** The strokes moved and scaled into a square of so many pixels: centred, aspect kept, some paper around. */
export function placed(strokes: readonly Stroke[], size: number, left = 0, top = 0): Stroke[] {
  const frame = frameOf(strokes);
  return transformed(reframed(strokes, frame, inner(size)), 1, left, top);
}

/** What drawings fill of a square picture of so many pixels. */
export function inner(size: number): Frame {
  return { side: size * (1 - 2 * MARGIN), centre: [size / 2, size / 2] };
}

/** A good width of the line in a picture of this size, both in pixels: finer, for its size, in a larger one. */
export function lineWidthFor(size: number): number {
  return Math.max(1, 0.6 + 0.01 * size);
}

/** Anti-aliased lines with round ends: 0 is paper, 255 is line. (0, 0) is the upper left corner of the picture. */
export class Paper {
  readonly ink: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.ink = new Uint8Array(width * height);
  }

  /** A polyline; a single point is a dot. */
  stroke(points: readonly Point[], lineWidth: number): void {
    points.forEach((point, n) => this.segment(points[Math.max(0, n - 1)]!, point, lineWidth / 2));
  }

  private segment([ax, ay]: Point, [bx, by]: Point, radius: number): void {
    const reach = radius + 1;
    const first = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
    const last = Math.min(this.width - 1, Math.ceil(Math.max(ax, bx) + reach));
    const bottom = Math.min(this.height - 1, Math.ceil(Math.max(ay, by) + reach));
    const [dx, dy] = [bx - ax, by - ay];
    const square = dx * dx + dy * dy;
    for (let y = Math.max(0, Math.floor(Math.min(ay, by) - reach)); y <= bottom; y++) {
      for (let x = first; x <= last; x++) {
        const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
        const along = square > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / square)) : 0;
        const covered = radius + 0.5 - Math.hypot(px - along * dx, py - along * dy);
        if (covered <= 0) continue;
        const at = y * this.width + x;
        this.ink[at] = Math.max(this.ink[at]!, Math.round(255 * Math.min(1, covered)));
      }
    }
  }
}

/** A colour of the form #rgb or #rrggbb. */
export function colourOf(text: string): Colour {
  const digits = /^#([\da-f]{3}|[\da-f]{6})$/i.exec(text)?.[1];
  if (!digits) throw new RangeError(`${text} is no colour; #rrggbb is one`);
  const wide = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
  const value = parseInt(wide, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Colours at even steps from one to another, both included. */
export function shades(from: Colour, to: Colour, count: number): Colour[] {
  return Array.from({ length: count }, (_, n): Colour => {
    const mix = (channel: 0 | 1 | 2) => Math.round(from[channel] + ((to[channel] - from[channel]) * n) / (count - 1));
    return [mix(0), mix(1), mix(2)];
  });
}

/** How many canvas units of the fitted drawing one unit of the drawing is. */
export function unitsPer(strokes: readonly Stroke[]): number {
  return CANVAS_SIZE / frameOf(strokes).side;
}
