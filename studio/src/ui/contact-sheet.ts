import { CANVAS_SIZE, frameOf, reframed } from "../core/geometry";
import type { Drawing } from "../core/types";

/** Side of a cell, for drawings whose longest side is 255. */
const CELL = 300;

/** Many drawings as one: side by side in rows. */
export function contactSheet(drawings: readonly Drawing[]): Drawing {
  const columns = Math.ceil(Math.sqrt(drawings.length));
  return {
    strokes: drawings.flatMap(({ strokes }, index) => {
      const centre = [(index % columns) * CELL + CELL / 2, Math.floor(index / columns) * CELL + CELL / 2] as const;
      return reframed(strokes, frameOf(strokes), { side: CANVAS_SIZE, centre });
    }),
  };
}
