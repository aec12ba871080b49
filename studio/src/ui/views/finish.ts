import { frameOf } from "../../core/geometry";
import type { Drawing, Stroke } from "../../core/types";
import type { Engine } from "../../engine/api";
import type { App, View } from "../app";
import { CategoryField } from "../category";
import { h } from "../dom";
import { icon } from "../icons";
import { modelDrawing, inkOf } from "../ink";
import { Latest } from "../latest";
import { additions } from "../proposals";
import { otherDrawings, seed } from "../seeds";
import { drawSettings } from "../settings";
import { Tile } from "../tile";
import { isTracing } from "../tracing";

const WAYS = 6;

/** Ways to go on from where the pen is: faint on the canvas, small in the panel. */
export class FinishView implements View {
  readonly element: HTMLElement;
  private readonly tiles: readonly Tile[];
  private readonly grid: HTMLElement;
  private readonly category: CategoryField;
  private readonly goesOn: HTMLInputElement;
  private readonly take: HTMLButtonElement;
  private readonly latest = new Latest();
  private ways: readonly (readonly Stroke[])[] = [];
  private chosen = 0;
  private seen = false;
  private wasChosen = false;

  constructor(private readonly app: App) {
    this.tiles = Array.from({ length: WAYS }, (_, index) => {
      const tile = new Tile({
        label: `Way ${index + 1} to go on`,
        pace: () => app.settings.value.pace,
        onOpen: () => undefined,
      });
      const { face } = tile;
      face.removeAttribute("aria-haspopup");
      face.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.choose(index));
      face.addEventListener("pointerdown", () => (this.wasChosen = this.chosen === index));
      face.addEventListener("focus", () => this.choose(index));
      face.addEventListener("click", (event) => {
        // A finger cannot look before it takes: its first tap shows the way on the canvas.
        const looks = (event as PointerEvent).pointerType === "touch" && !this.wasChosen;
        if (!looks) this.takeChosen();
      });
      return tile;
    });
    this.grid = h(
      "div",
      { class: "grid three", role: "group", "aria-label": "Ways to go on", "data-testid": "proposals" },
      ...this.tiles.map(({ element }) => element),
    );
    this.category = new CategoryField("Towards", "Whatever it may be", () => this.request(), "finish-category");
    this.goesOn = h("input", { type: "checkbox", onchange: () => this.request() });
    this.take = h(
      "button",
      { class: "button primary", type: "button", "data-testid": "take-proposal", onclick: () => this.takeChosen() },
      icon("check"),
      "Take it",
    );
    this.element = h(
      "div",
      { class: "view finish" },
      h(
        "div",
        { class: "stage" },
        this.grid,
        h(
          "div",
          { class: "hint" },
          h("p", { class: "hint-title" }, "Begin a drawing."),
          h("p", {}, "It proposes ways to go on, faint on the canvas. Trace one, and it is taken."),
        ),
      ),
      h(
        "p",
        { class: "aside for-mouse" },
        "Trace the faint lines, click a way or press ",
        h("kbd", {}, "Enter"),
        "; ",
        h("kbd", {}, "←"),
        " ",
        h("kbd", {}, "→"),
        " shows another.",
      ),
      h(
        "p",
        { class: "aside for-touch" },
        "Trace the faint lines, or tap a way: once to see it on the canvas, again to take it.",
      ),
      h(
        "div",
        { class: "controls" },
        this.category.element,
        h("label", { class: "check" }, this.goesOn, h("span", {}, "Go on with the last line")),
        h(
          "div",
          { class: "buttons" },
          h("button", { class: "button", type: "button", onclick: otherDrawings }, icon("shuffle"), "Other ways"),
          this.take,
        ),
      ),
    );
    app.settled.watch(() => this.request());
    seed.watch(() => this.request());
    app.settings.watch((now, before) => now.temperature !== before.temperature && this.request());
    app.model.follow((model) => {
      if (model.kind === "ready") this.category.offer(model.engine.info.categories);
      this.request();
    });
    app.paper.onTrace = (points) => {
      const way = this.ways[this.chosen];
      if (!this.seen || !way?.[0] || !isTracing(points, way[0])) return false;
      this.takeChosen();
      return true;
    };
  }

  missing(): string | null {
    return null;
  }

  enter(): void {
    this.seen = true;
    this.request();
  }

  leave(): void {
    this.seen = false;
    this.latest.abort();
    this.forget();
  }

  key(event: KeyboardEvent): boolean {
    if (this.ways.length === 0) return false;
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
    const step = steps[event.key];
    if (step !== undefined) this.choose((this.chosen + step + this.ways.length) % this.ways.length);
    else if (event.key === "Enter") this.takeChosen();
    else if (event.key === "Escape") this.app.paper.propose(null);
    else if (event.key.toLowerCase() === "r") otherDrawings();
    else return false;
    return true;
  }

  private forget(): void {
    this.ways = [];
    this.take.disabled = true;
    this.app.paper.propose(null);
  }

  private request(): void {
    if (!this.seen) return;
    const started = modelDrawing(this.app.settled.value);
    const model = this.app.model.value;
    this.forget();
    this.element.dataset["empty"] = String(started.strokes.length === 0);
    if (started.strokes.length === 0) {
      this.latest.abort();
      this.tiles.forEach((tile) => tile.empty());
    } else if (model.kind === "ready") {
      this.app.attempt(this.latest.run((signal) => this.complete(model.engine, started, signal)));
    }
  }

  private async complete(engine: Engine, started: Drawing, signal: AbortSignal): Promise<void> {
    this.tiles.forEach((tile) => tile.expect());
    this.grid.setAttribute("aria-busy", "true");
    try {
      const found = await engine.complete(started, {
        samples: WAYS,
        seed: seed.value,
        settings: drawSettings(this.app.settings.value),
        category: this.category.value,
        penDown: this.goesOn.checked,
        signal,
      });
      if (signal.aborted) return;
      const ways = found.map((one) => additions(one, started)).filter((way) => way.length > 0);
      this.ways = ways;
      this.tiles.forEach((tile, index) => {
        const way = ways[index];
        if (way) tile.show({ strokes: way }, { frame: frameOf([...started.strokes, ...way]), under: started.strokes });
        else tile.empty();
      });
      this.take.disabled = ways.length === 0;
      if (ways.length === 0) this.app.status.say("It sees nothing to add; the drawing looks finished to the model.");
      else {
        this.choose(0);
        this.app.tell(`${ways.length} ways to go on are there.`);
      }
    } catch (error) {
      if (!signal.aborted) this.tiles.forEach((tile) => tile.empty());
      throw error;
    } finally {
      if (!signal.aborted) this.grid.setAttribute("aria-busy", "false");
    }
  }

  private choose(index: number): void {
    const way = this.ways[index];
    if (!way) return;
    this.chosen = index;
    this.tiles.forEach(({ element, face }, other) => {
      element.classList.toggle("chosen", other === index);
      face.setAttribute("aria-current", String(other === index));
    });
    this.app.paper.propose({ strokes: way });
  }

  private takeChosen(): void {
    const way = this.ways[this.chosen];
    if (!way) return;
    this.forget();
    this.app.sheet.change([...this.app.sheet.ink.value, ...inkOf({ strokes: way }, "model")]);
  }
}
