import type { Drawing, Stroke } from "../core/types";
import type { Completion } from "../engine/api";

/** What a completion adds to the started drawing: the rest of its last line, and the strokes after it. */
export function additions({ drawing, started }: Completion, before: Drawing): Stroke[] {
  const last = before.strokes.length - 1;
  const given = before.strokes[last]?.length ?? 0;
  const goesOn = drawing.strokes[started - 1]?.slice(Math.max(0, given - 1)) ?? [];
  return [...(goesOn.length > 1 ? [goesOn] : []), ...drawing.strokes.slice(started)];
}
