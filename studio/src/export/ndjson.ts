import { fitted } from "../core/geometry";
import type { Drawing, Point, Stroke } from "../core/types";

/** The word of a drawing without a category. */
const NO_CATEGORY = "drawing";

/**
 * Drawings as Quick, Draw! publishes its simplified ones, one a line: whole numbers from 0 to 255. `sketch-pix2seq
 * prepare` makes a set for training of it. Those without strokes are left out.
 */
export function toNdjson(drawings: Drawing | readonly Drawing[]): string {
  const all = "strokes" in drawings ? [drawings] : drawings;
  return all
    .filter(({ strokes }) => strokes.some((stroke) => stroke.length))
    .map((drawing) => {
      const strokes = quantized(drawing).map((stroke) => [stroke.map(([x]) => x), stroke.map(([, y]) => y)]);
      return `${JSON.stringify({ word: drawing.category || NO_CATEGORY, drawing: strokes })}\n`;
    })
    .join("");
}

/** Fitted, with whole coordinates and no point twice in a row. */
export function quantized(drawing: Drawing): Stroke[] {
  return fitted(drawing)
    .strokes.filter((stroke) => stroke.length)
    .map((stroke) => {
      const whole = stroke.map(([x, y]): Point => [Math.round(x), Math.round(y)]);
      return whole.filter(([x, y], n) => n === 0 || x !== whole[n - 1]![0] || y !== whole[n - 1]![1]);
    });
}
