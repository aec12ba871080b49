import { boundsOf, CANVAS_SIZE, type Frame, frameOf } from "../core/geometry";
import type { Drawing } from "../core/types";

/** What a model draws in, where there is no drawing to compare with. */
export const MODEL_FRAME: Frame = { side: CANVAS_SIZE, centre: [CANVAS_SIZE / 2, CANVAS_SIZE / 2] };

/** A frame, grown about its middle until all of a drawing is in it; the drawing's own where there is none. */
export function including(frame: Frame | null, drawing: Drawing): Frame {
  const bounds = boundsOf(drawing.strokes);
  if (frame === null || bounds === null) return frameOf(drawing.strokes);
  const [x, y] = frame.centre;
  const reach = Math.max(x - bounds.left, bounds.right - x, y - bounds.top, bounds.bottom - y);
  return { ...frame, side: Math.max(frame.side, 2 * reach) };
}
