import type { Drawing } from "../core/types";
import { drawCurve } from "./brush";
import { curveOf } from "./curve";

/** How fast a hand draws: sides of the drawing a second on the paper, and above it. */
const ON_PAPER = 1.7;
const ABOVE = 5;
/** Seconds that a hand takes to lift and to set down, and for a dot. */
const LIFT = 0.07;

interface Part {
  readonly stroke: number;
  readonly begins: number;
  readonly takes: number;
}

/** When each stroke of a drawing is drawn, in seconds at the speed of a hand. */
export class Timeline {
  readonly parts: readonly Part[];
  readonly seconds: number;

  constructor(drawing: Drawing, side: number) {
    let time = 0;
    let pen: readonly [number, number] | null = null;
    this.parts = drawing.strokes.map((points, stroke) => {
      const first = points[0]!;
      if (pen) time += LIFT + Math.hypot(first[0] - pen[0], first[1] - pen[1]) / (side * ABOVE);
      const takes = LIFT / 2 + curveOf(points).length / (side * ON_PAPER);
      const part = { stroke, begins: time, takes };
      time += takes;
      pen = points[points.length - 1]!;
      return part;
    });
    this.seconds = time;
  }
}

/** A drawing that is drawn onto a canvas bit by bit: each step adds only what is new. */
export class Replay {
  private timeline: Timeline;
  private time = 0;

  constructor(
    private drawing: Drawing,
    private readonly side: number,
  ) {
    this.timeline = new Timeline(drawing, side);
  }

  /** The same drawing with more of it, as it grows. */
  grow(drawing: Drawing): void {
    this.drawing = drawing;
    this.timeline = new Timeline(drawing, this.side);
    this.time = Math.min(this.time, this.timeline.seconds);
  }

  get done(): boolean {
    return this.time >= this.timeline.seconds;
  }

  /** Goes on by some seconds and draws what they add, where it is seen. Infinity draws the rest. */
  advance(context: CanvasRenderingContext2D | null, seconds: number, line: number): void {
    const before = this.time;
    this.time = Math.min(this.timeline.seconds, before + seconds);
    if (context) this.paint(context, before, this.time, line);
  }

  /** All that is drawn so far, on an empty canvas. */
  repaint(context: CanvasRenderingContext2D, line: number): void {
    this.paint(context, -1, this.time, line);
  }

  private paint(context: CanvasRenderingContext2D, from: number, to: number, line: number): void {
    for (const { stroke, begins, takes } of this.timeline.parts) {
      if (begins + takes < from || begins > to) continue;
      const curve = curveOf(this.drawing.strokes[stroke]!);
      const at = (time: number): number => (Math.max(0, time - begins) / takes) * curve.length;
      const [start, end] = [at(from), Math.min(curve.length, at(to))];
      if (curve.length === 0 ? from <= begins : end > start) drawCurve(context, curve, line, start, end);
    }
  }
}
