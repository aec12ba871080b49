import type { Frame } from "../core/geometry";
import type { Drawing, Stroke } from "../core/types";
import { drawStrokes, roundPen } from "./brush";
import { clearCanvas, fitCanvas, h } from "./dom";
import { including } from "./frames";
import type { Author } from "./ink";
import { Replay } from "./replay";
import { onPalette, palette, wantsStillness } from "./theme";
import { eachFrame } from "./ticker";

/** Share of a tile's side that stays free about a drawing. */
const MARGIN = 0.13;

export interface TileOptions {
  readonly label: string;
  /** Times the speed of a hand; 0 = at once. */
  readonly pace: () => number;
  readonly onOpen: (tile: Tile) => void;
  /** Keys that act on the tile while it is focused; whether one did. */
  readonly onKey?: (tile: Tile, key: string) => boolean;
}

/** A small sheet on which a drawing is drawn, stroke by stroke. */
export class Tile {
  readonly element: HTMLElement;
  readonly face: HTMLButtonElement;
  /** What it shows, once that is settled. */
  drawing: Drawing | null = null;
  /** Whether the drawing lies where it belongs on the page. */
  inPlace = false;
  by: Author = "model";
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private replay: Replay | null = null;
  private frame: Frame | null = null;
  private under: readonly Stroke[] = [];
  private stop: (() => void) | null = null;
  private label: string;

  constructor(private readonly options: TileOptions) {
    this.label = options.label;
    this.face = h(
      "button",
      {
        class: "tile-face",
        type: "button",
        "aria-label": options.label,
        "aria-haspopup": "menu",
        disabled: true,
        onclick: () => options.onOpen(this),
        onkeydown: (event: KeyboardEvent) => {
          if (event.ctrlKey || event.metaKey || event.altKey) return;
          if (this.drawing && options.onKey?.(this, event.key.toUpperCase())) {
            event.preventDefault();
            event.stopPropagation();
          }
        },
      },
      this.canvas,
    );
    this.element = h("div", { class: "tile", "data-testid": "tile", "data-state": "empty" }, this.face);
    resized.observe(this.element);
    tiles.set(this.element, this);
  }

  /** Waits for a new drawing; what was there stays, fainter. */
  expect(): void {
    this.element.dataset["state"] = "waiting";
  }

  empty(): void {
    this.end();
    this.drawing = this.replay = null;
    this.face.disabled = true;
    this.element.dataset["state"] = "empty";
    clearCanvas(fitCanvas(this.canvas).context);
  }

  /** More of a drawing that is not finished. */
  grow(drawing: Drawing, frame: Frame): void {
    if (drawing.strokes.length === 0) return;
    if (this.element.dataset["state"] !== "growing") {
      this.element.dataset["state"] = "growing";
      this.face.disabled = true;
      this.drawing = null;
      this.begin(drawing, frame, "model");
    } else {
      this.replay?.grow(drawing);
    }
    this.play();
  }

  /** A settled drawing; one that has been growing goes on where it was. */
  show(drawing: Drawing, { frame = null, by = "model", at = "begin", under = [] }: ShowOptions = {}): void {
    const wasGrowing = this.element.dataset["state"] === "growing";
    this.drawing = drawing;
    this.face.disabled = false;
    this.element.dataset["state"] = "settled";
    const whole = including(frame, drawing);
    if (wasGrowing && this.replay && this.frame && whole.side <= this.frame.side * 1.02) this.replay.grow(drawing);
    else this.begin(drawing, whole, by, under);
    this.name(drawing.category);
    if (at === "end") this.finish();
    else this.play();
  }

  /** Mentions the category to those who do not see the drawing. */
  private name(category: string | undefined): void {
    this.face.setAttribute("aria-label", category === undefined ? this.label : `${this.label}: ${category}`);
    if (category !== undefined) this.face.title = category;
    else this.face.removeAttribute("title");
  }

  repaint(): void {
    const { context } = fitCanvas(this.canvas);
    clearCanvas(context);
    const pen = this.pen(context);
    if (pen === 0) return;
    if (this.under.length > 0) {
      context.strokeStyle = context.fillStyle = palette().person;
      drawStrokes(context, this.under, pen);
      context.strokeStyle = context.fillStyle = palette()[this.by];
    }
    this.replay?.repaint(context, pen);
  }

  dispose(): void {
    this.end();
    resized.unobserve(this.element);
    this.element.remove();
  }

  private begin(drawing: Drawing, frame: Frame, by: Author, under: readonly Stroke[] = []): void {
    this.frame = frame;
    this.by = by;
    this.under = under;
    this.replay = new Replay(drawing, frame.side);
    this.repaint();
  }

  private play(): void {
    const pace = this.options.pace();
    if (pace === 0 || wantsStillness()) return this.finish();
    this.stop ??= eachFrame((seconds) => {
      this.advance(seconds * this.options.pace());
      const goesOn = this.replay !== null && !this.replay.done;
      if (goesOn) return true;
      this.stop = null;
      // In one go the line is smoother than the pieces that it was drawn in.
      if (this.drawing) this.repaint();
      return false;
    });
  }

  private finish(): void {
    this.end();
    this.advance(Infinity);
  }

  private end(): void {
    this.stop?.();
    this.stop = null;
  }

  private advance(seconds: number): void {
    const { context, changed } = fitCanvas(this.canvas);
    const line = this.pen(context);
    if (changed) this.repaint();
    this.replay?.advance(line > 0 ? context : null, seconds, line);
  }

  /** Sets the context up for the drawing; gives the line's width, in the drawing's units. */
  private pen(context: CanvasRenderingContext2D): number {
    const { width, height } = context.canvas;
    if (!this.frame || width === 0) return 0;
    const scale = (Math.min(width, height) * (1 - 2 * MARGIN)) / this.frame.side;
    const [x, y] = this.frame.centre;
    context.setTransform(scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale);
    roundPen(context);
    context.strokeStyle = context.fillStyle = palette()[this.by];
    const density = width / this.canvas.clientWidth;
    return (density * Math.min(4, Math.max(1.4, this.canvas.clientWidth / 80))) / scale;
  }
}

export interface ShowOptions {
  /** What it is seen within; its own frame where there is none. */
  readonly frame?: Frame | null;
  readonly by?: Author;
  readonly at?: "begin" | "end";
  /** What was there before, in graphite. */
  readonly under?: readonly Stroke[];
}

const tiles = new WeakMap<Element, Tile>();

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) tiles.get(target)?.repaint();
});

onPalette(() => {
  for (const element of document.querySelectorAll(".tile")) tiles.get(element)?.repaint();
});
