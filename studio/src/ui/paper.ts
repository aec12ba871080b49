import { boundsOf } from "../core/geometry";
import type { Drawing, Point } from "../core/types";
import { drawInk, lineWidth, roundPen, widthAt } from "./brush";
import { Cell } from "./cell";
import { arrow, clearCanvas, fitCanvas, h } from "./dom";
import { type Area, erased, type Ink, inkOf, type InkStroke, type PageView, toPage, viewOf } from "./ink";
import { followPen, type Touch } from "./pen";
import { Replay } from "./replay";
import { Selection } from "./selection";
import type { Sheet } from "./sheet";
import { onPalette, palette, wantsStillness } from "./theme";
import { eachFrame } from "./ticker";

export type Tool = "pen" | "select" | "eraser";

/** Points nearer to the last one than this add nothing, in page units. */
const APART = 1.4;
/** Reach of the eraser, in CSS pixels. */
const ERASER = 11;
/** Most and least that the page is scaled, over its usual size. */
const [FARTHEST_IN, FARTHEST_OUT] = [16, 0.1];
/** Seconds that the page takes to move into view. */
const MOVES = 0.3;
/** How fast proposals appear, over a hand's speed: they are looked at, not waited for. */
const GHOST_PACE = 2.6;

/** The large sheet: settled ink, proposals in faint blue beneath the pen, and the stroke that is being drawn. */
export class Paper {
  /** While a stroke is drawn: its points so far. True takes the stroke away from the hand. */
  onTrace: (points: readonly Point[]) => boolean = () => false;
  onPenUp: () => void = () => undefined;

  /** Whether a hand has moved or scaled the page: then it stays, until all of it is asked for. */
  readonly isMoved = new Cell(false);

  private readonly base = h("canvas", { "aria-hidden": "true" });
  private readonly ghost = h("canvas", { class: "ghost", "aria-hidden": "true" });
  private readonly live = h("canvas", { "aria-hidden": "true" });
  private readonly crosshair = h("div", { class: "crosshair", hidden: true });
  private view: PageView = { scale: 1, x: 0, y: 0 };
  private stopMoving: (() => void) | null = null;
  private points: Point[] = [];
  private pressure: number[] = [];
  private mode: "idle" | "drawing" | "erasing" | "selecting" = "idle";
  private readonly selection: Selection;
  private beforeErasing: Ink = [];
  private proposal: Replay | null = null;
  private stopGhost: (() => void) | null = null;
  private cursor: Point = [0, 0];
  private keyboard: "off" | "up" | "down" = "off";

  constructor(
    readonly element: HTMLElement,
    private readonly sheet: Sheet,
    private readonly tool: Cell<Tool>,
  ) {
    this.selection = new Selection(sheet);
    element.append(this.base, this.ghost, this.live, this.crosshair);
    followPen(element, {
      begin: (touch, erases) => {
        this.leaveKeyboard();
        this.begin(touch, erases || this.tool.value === "eraser");
      },
      move: (touches) => this.move(touches),
      end: () => this.end(),
      cancel: () => this.cancel(),
      pinch: ([a, b], [c, d]) => {
        const apart = (p: Touch, q: Touch): number => Math.max(1, Math.hypot(p.x - q.x, p.y - q.y));
        const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
        this.moveBy((c.x + d.x) / 2 - x, (c.y + d.y) / 2 - y, apart(c, d) / apart(a, b), x, y);
      },
    });
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.refit()).observe(element);
    sheet.ink.watch((ink, before) => this.inkChanged(ink, before));
    element.dataset["empty"] = String(sheet.ink.value.length === 0);
    tool.follow((value) => {
      element.dataset["tool"] = value;
      this.selection.none();
      this.repaintLive();
    });
    onPalette(() => this.repaint());
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("blur", () => this.leaveKeyboard());
  }

  /** Whether the pen is on the paper. */
  get isBusy(): boolean {
    return this.mode !== "idle";
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { left, top } = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    if (event.ctrlKey || event.metaKey) this.moveBy(0, 0, Math.exp(-event.deltaY * 0.004), x, y);
    else this.moveBy(-event.deltaX, -event.deltaY, 1, x, y);
  }

  /** Moves the page by CSS pixels and scales it about a place on the screen. */
  private moveBy(dx: number, dy: number, factor: number, aboutX: number, aboutY: number): void {
    if (this.isBusy) return;
    this.endMoving();
    const { scale, x, y } = this.view;
    const usual = viewOf(this.area, []).scale;
    const next = Math.min(FARTHEST_IN * usual, Math.max(FARTHEST_OUT * usual, scale * factor));
    const share = next / scale;
    this.view = { scale: next, x: aboutX + (x - aboutX) * share + dx, y: aboutY + (y - aboutY) * share + dy };
    this.isMoved.value = true;
    this.repaint();
  }

  /** All ink in view, at once. */
  refit(): void {
    this.endMoving();
    this.isMoved.value = false;
    this.view = viewOf(this.area, this.sheet.ink.value);
    this.repaint();
  }

  /** Moves the page until all of the ink is in view. */
  private moveTo(ink: Ink): void {
    if (this.isMoved.value && ink.length > 0) return this.repaint();
    this.isMoved.value = false;
    const target = viewOf(this.area, ink);
    const from = this.view;
    this.endMoving();
    const isThere =
      Math.abs(target.scale / from.scale - 1) < 1e-3 && Math.hypot(target.x - from.x, target.y - from.y) < 0.5;
    if (isThere || wantsStillness()) {
      this.view = target;
      this.repaint();
      return;
    }
    let time = 0;
    this.stopMoving = eachFrame((seconds) => {
      time = Math.min(1, time + seconds / MOVES);
      const share = 1 - (1 - time) ** 3;
      const between = (a: number, b: number): number => a + share * (b - a);
      this.view = {
        scale: between(from.scale, target.scale),
        x: between(from.x, target.x),
        y: between(from.y, target.y),
      };
      this.repaint();
      if (time < 1) return true;
      this.stopMoving = null;
      return false;
    });
  }

  private endMoving(): void {
    this.stopMoving?.();
    this.stopMoving = null;
  }

  /** Whether all strokes lie on the part of the paper that is seen. */
  private shows({ strokes }: Drawing): boolean {
    const bounds = boundsOf(strokes);
    if (bounds === null) return true;
    const [left, top] = toPage(this.view, 0, 0);
    const [right, bottom] = toPage(this.view, this.element.clientWidth, this.element.clientHeight);
    return bounds.left >= left && bounds.right <= right && bounds.top >= top && bounds.bottom <= bottom;
  }

  private get area(): Area {
    const { paddingLeft, paddingTop, paddingRight, paddingBottom } = getComputedStyle(this.element);
    const [left, top] = [parseFloat(paddingLeft), parseFloat(paddingTop)];
    const width = this.element.clientWidth - left - parseFloat(paddingRight);
    const height = this.element.clientHeight - top - parseFloat(paddingBottom);
    return { left, top, width: Math.max(1, width), height: Math.max(1, height) };
  }

  /** Strokes that might be drawn next, faint; null takes them away. */
  propose(proposed: Drawing | null): void {
    this.stopGhost?.();
    this.stopGhost = null;
    this.proposal = proposed && new Replay(proposed, 420);
    clearCanvas(fitCanvas(this.ghost).context);
    const { proposal } = this;
    if (!proposal || !proposed) return;
    if (!this.shows(proposed)) this.moveTo([...this.sheet.ink.value, ...inkOf(proposed, "model")]);
    if (wantsStillness()) {
      proposal.advance(this.context(this.ghost, "ghost"), Infinity, this.line);
      return;
    }
    this.stopGhost = eachFrame((seconds) => {
      proposal.advance(this.context(this.ghost, "ghost"), seconds * GHOST_PACE, this.line);
      return !proposal.done;
    });
  }

  private get line(): number {
    return lineWidth(this.view.scale);
  }

  private context(canvas: HTMLCanvasElement, colour: "person" | "model" | "ghost"): CanvasRenderingContext2D {
    const { context } = fitCanvas(canvas);
    const density = canvas.width / Math.max(1, canvas.clientWidth);
    const { scale, x, y } = this.view;
    context.setTransform(scale * density, 0, 0, scale * density, x * density, y * density);
    roundPen(context);
    context.strokeStyle = context.fillStyle = palette()[colour];
    return context;
  }

  private repaint(): void {
    clearCanvas(fitCanvas(this.base).context);
    drawInk(this.context(this.base, "person"), this.sheet.ink.value, this.line, palette());
    clearCanvas(fitCanvas(this.ghost).context);
    this.proposal?.repaint(this.context(this.ghost, "ghost"), this.line);
    this.repaintLive();
    this.moveCrosshair();
  }

  /** The stroke that is being drawn, or the strokes that are chosen. */
  private repaintLive(): void {
    clearCanvas(fitCanvas(this.live).context);
    if (this.mode === "drawing") this.drawLive(0);
    else if (this.tool.value === "select") this.selection.paint(this.context(this.live, "model"), 1 / this.view.scale);
  }

  private inkChanged(ink: Ink, before: Ink): void {
    this.element.dataset["empty"] = String(ink.length === 0);
    const isAddition = ink.length > before.length && before.every((stroke, index) => stroke === ink[index]);
    if (!isAddition) return this.mode === "idle" ? this.moveTo(ink) : this.repaint();
    const added = ink.slice(before.length);
    if (added.some(({ by }) => by === "model")) return this.moveTo(ink);
    drawInk(this.context(this.base, "person"), added, this.line, palette());
  }

  private begin(touch: Touch, erases: boolean): void {
    this.endMoving();
    const at = toPage(this.view, touch.x, touch.y);
    const selects = !erases && this.tool.value === "select";
    this.mode = erases ? "erasing" : selects ? "selecting" : "drawing";
    this.points = [at];
    this.pressure = touch.pressure === null ? [] : [touch.pressure];
    if (selects) {
      this.selection.begin(at, 1 / this.view.scale);
    } else if (erases) {
      this.beforeErasing = this.sheet.ink.value;
      this.erase(at, at);
    } else {
      this.drawLive(0);
    }
  }

  private move(touches: readonly Touch[]): void {
    if (this.mode === "idle") return;
    if (this.mode === "selecting") {
      const { x, y } = touches.at(-1)!;
      this.selection.move(toPage(this.view, x, y));
      return this.repaintLive();
    }
    const from = this.points.length;
    for (const { x, y, pressure } of touches) {
      const at = toPage(this.view, x, y);
      const last = this.points[this.points.length - 1]!;
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) < APART) continue;
      if (this.mode === "erasing") this.erase(last, at);
      this.points.push(at);
      if (this.pressure.length > 0) this.pressure.push(pressure ?? this.pressure[this.pressure.length - 1]!);
    }
    if (this.points.length === from || this.mode !== "drawing") return;
    this.drawLive(from);
    if (!this.onTrace(this.points)) return;
    this.forget();
    this.onPenUp();
  }

  private end(): void {
    const { mode, points, pressure } = this;
    this.forget();
    if (mode === "drawing") {
      const stroke: InkStroke = { points, by: "person", ...(pressure.length === points.length && { pressure }) };
      this.sheet.change([...this.sheet.ink.value, stroke]);
    } else if (mode === "erasing") {
      const after = this.sheet.ink.value;
      // Erasing is one step to undo, however many strokes it took.
      this.sheet.ink.value = this.beforeErasing;
      this.sheet.change(after);
    } else if (mode === "selecting") {
      this.selection.end(1 / this.view.scale);
      this.repaintLive();
    }
    if (mode !== "idle") this.onPenUp();
  }

  private cancel(): void {
    if (this.mode === "erasing") this.sheet.ink.value = this.beforeErasing;
    if (this.mode === "selecting") this.selection.cancel();
    this.forget();
    this.onPenUp();
  }

  private forget(): void {
    this.mode = "idle";
    this.points = [];
    this.pressure = [];
    clearCanvas(fitCanvas(this.live).context);
  }

  private erase(from: Point, to: Point): void {
    this.sheet.ink.value = erased(this.sheet.ink.value, from, to, ERASER / this.view.scale);
  }

  /** Adds the newest part of the stroke to what is on the screen: its cost does not grow with the stroke. */
  private drawLive(from: number): void {
    const { points, pressure } = this;
    const context = this.context(this.live, "person");
    const width = (index: number): number => (pressure.length > 0 ? widthAt(pressure[index]!, this.line) : this.line);
    const first = points[0]!;
    if (points.length === 1) {
      context.beginPath();
      context.arc(first[0], first[1], width(0) / 2, 0, 2 * Math.PI);
      context.fill();
    }
    const between = (a: Point, b: Point): Point => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    for (let index = Math.max(1, from); index < points.length; index++) {
      const [before, here] = [points[index - 1]!, points[index]!];
      const start = index === 1 ? before : between(points[index - 2]!, before);
      const end = between(before, here);
      context.lineWidth = width(index);
      context.beginPath();
      context.moveTo(start[0], start[1]);
      context.quadraticCurveTo(before[0], before[1], end[0], end[1]);
      context.stroke();
    }
  }

  private key(event: KeyboardEvent): void {
    if (event.altKey || event.defaultPrevented) return;
    if (this.tool.value === "select" && this.selectionKey(event)) {
      event.preventDefault();
      event.stopPropagation();
      return this.repaint();
    }
    if (event.ctrlKey || event.metaKey) return;
    const move = arrow(event, event.shiftKey ? 40 : 10);
    if (event.key === " ") {
      if (this.keyboard === "down") this.liftKeyboard();
      else this.keyboard = this.keyboard === "off" ? "up" : this.lowerKeyboard();
    } else if (move && this.keyboard !== "off") {
      this.cursor = [this.cursor[0] + move[0], this.cursor[1] + move[1]];
      if (this.keyboard === "down") this.move([this.touchAtCursor()]);
    } else if (event.key === "Escape" && this.keyboard !== "off") {
      this.leaveKeyboard();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.moveCrosshair();
  }

  /** Keys for what is chosen; whether it was one. */
  private selectionKey(event: KeyboardEvent): boolean {
    const { selection } = this;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "a") return false;
      selection.all();
      return true;
    }
    if (selection.isEmpty) return false;
    const move = arrow(event, event.shiftKey ? 40 : 10);
    if (move) selection.nudge(...move);
    else if (event.key === "+" || event.key === "=") selection.scale(1.1);
    else if (event.key === "-") selection.scale(1 / 1.1);
    else if (event.key === "Delete" || event.key === "Backspace") selection.remove();
    else if (event.key === "Escape") selection.none();
    else return false;
    return true;
  }

  private lowerKeyboard(): "down" {
    this.begin(this.touchAtCursor(), this.tool.value === "eraser");
    return "down";
  }

  private liftKeyboard(): void {
    this.keyboard = "up";
    this.end();
  }

  private leaveKeyboard(): void {
    if (this.keyboard === "down") this.liftKeyboard();
    this.keyboard = "off";
    this.moveCrosshair();
  }

  private touchAtCursor(): Touch {
    const { scale, x, y } = this.view;
    return { x: this.cursor[0] * scale + x, y: this.cursor[1] * scale + y, pressure: null };
  }

  private moveCrosshair(): void {
    this.crosshair.hidden = this.keyboard === "off";
    this.crosshair.dataset["pen"] = this.keyboard;
    const { x, y } = this.touchAtCursor();
    this.crosshair.style.transform = `translate(${x}px, ${y}px)`;
  }
}
