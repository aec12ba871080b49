import { CANVAS_SIZE, type Frame, frameOf, reframed } from "../core/geometry";
import type { Drawing } from "../core/types";

/** Side of a cell, for drawings whose longest side is 255. */
const CELL = 300;

/** Many drawings as one: side by side in rows. frame: what is seen in each cell; left out: each drawing's own. */
export function contactSheet(
  drawings: readonly Drawing[],
  columns = Math.ceil(Math.sqrt(drawings.length)),
  frame?: Frame,
): Drawing {
  return {
    strokes: drawings.flatMap(({ strokes }, index) => {
      const centre = [(index % columns) * CELL + CELL / 2, Math.floor(index / columns) * CELL + CELL / 2] as const;
      return reframed(strokes, frame ?? frameOf(strokes), { side: CANVAS_SIZE, centre });
    }),
  };
}
