import { frameOf } from "../../core/geometry";
import type { Drawing } from "../../core/types";
import type { Engine } from "../../engine/api";
import type { App, View } from "../app";
import { h } from "../dom";
import { freedomDial } from "../fields";
import { icon } from "../icons";
import { modelDrawing } from "../ink";
import { Latest } from "../latest";
import { otherDrawings, seed } from "../seeds";
import { drawSettings, spreadOver } from "../settings";
import { thumbnail } from "../thumbnail";

const [ROWS, COLUMNS] = [3, 3];
const TILES = ROWS * COLUMNS;
/** How long a slider has to rest before it is drawn by, in milliseconds. */
const REST = 120;

/** The model draws the canvas again, in as many ways as there are tiles. */
export class RedrawView implements View {
  readonly element: HTMLElement;
  private readonly tiles;
  private readonly grid: HTMLElement;
  private readonly source = h("div", { class: "source", hidden: true });
  private readonly hint = h("div", { class: "hint" });
  private readonly dial: HTMLElement;
  private readonly latest = new Latest();
  private seen = false;
  private drawn = "";
  private timer = 0;

  constructor(private readonly app: App) {
    this.tiles = Array.from({ length: TILES }, (_, index) => app.newTile(`Redrawing ${index + 1}`));
    this.dial = freedomDial(app.settings, ROWS);
    this.grid = h(
      "div",
      { class: "grid three", role: "group", "aria-label": "Redrawings, freer from row to row", "data-testid": "redrawings" },
      ...this.tiles.map(({ element }) => element),
    );
    this.element = h(
      "div",
      { class: "view redraw" },
      this.source,
      h("div", { class: "stage" }, this.grid, this.hint),
      h(
        "div",
        { class: "controls" },
        this.dial,
        h(
          "button",
          { class: "button", type: "button", "data-testid": "shuffle", onclick: otherDrawings },
          icon("shuffle"),
          "Other drawings",
        ),
      ),
    );
    app.settled.watch(() => {
      app.input.value = null;
      this.request();
    });
    app.input.watch(() => this.request());
    seed.watch(() => this.request());
    app.settings.watch((now, before) => {
      if (now.temperature !== before.temperature || now.freedom !== before.freedom) this.requestSoon();
    });
    app.model.watch((model) => {
      this.dial.hidden = model.kind === "ready" && !model.engine.info.hasFlow;
      this.drawn = "";
      this.request();
    });
  }

  missing({ info }: Engine): string | null {
    return info.hasEncoder
      ? null
      : "This model cannot see drawings, so it cannot redraw them; Finish and Wander work with it.";
  }

  enter(): void {
    this.seen = true;
    this.request();
  }

  leave(): void {
    this.seen = false;
    this.latest.abort();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key.toLowerCase() !== "r") return false;
    otherDrawings();
    return true;
  }

  private requestSoon(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.request(), REST);
  }

  private request(): void {
    const { app } = this;
    const model = app.model.value;
    if (!this.seen) return;
    const input: Drawing = app.input.value ?? modelDrawing(app.settled.value);
    this.showSource();
    this.element.dataset["empty"] = String(input.strokes.length === 0);
    if (input.strokes.length === 0) {
      this.latest.abort();
      this.drawn = "";
      this.tiles.forEach((tile) => tile.empty());
      this.showHint();
      return;
    }
    if (model.kind !== "ready" || this.missing(model.engine)) return;
    const { temperature, freedom } = app.settings.value;
    const wanted = JSON.stringify([temperature, freedom, seed.value, input.strokes]);
    if (wanted === this.drawn) return;
    this.drawn = wanted;
    app.attempt(
      this.latest
        .run((signal) => this.redraw(model.engine, input, signal))
        .then((drawings) => {
          if (drawings) app.tell(`${drawings.length} redrawings are there.`);
          else if (this.drawn === wanted) this.drawn = "";
        }),
    );
  }

  /** A call a row: each has its own freedom. */
  private async redraw(engine: Engine, input: Drawing, signal: AbortSignal): Promise<Drawing[]> {
    const { app, tiles } = this;
    const { value } = app.settings;
    const frame = frameOf(input.strokes);
    const freedoms = engine.info.hasFlow ? spreadOver(value.freedom, ROWS) : Array.from({ length: ROWS }, () => 0);
    tiles.forEach((tile) => tile.expect());
    this.grid.setAttribute("aria-busy", "true");
    const drawRow = (freedom: number, row: number): Promise<Drawing[]> => {
      const tileOf = (sample: number) => (signal.aborted ? undefined : tiles[row * COLUMNS + sample]);
      return engine.redraw(input, {
        samples: COLUMNS,
        seed: seed.value + (engine.info.hasFlow ? 0 : row * TILES),
        settings: drawSettings(value, freedom),
        signal,
        onRow: (_, sample, soFar) => tileOf(sample)?.grow(soFar, frame),
        onDrawing: (_, sample, drawing) => {
          const tile = tileOf(sample);
          if (!tile) return;
          tile.inPlace = app.input.value === null;
          tile.show(drawing, { frame });
        },
      });
    };
    try {
      return (await Promise.all(freedoms.map(drawRow))).flat();
    } catch (error) {
      if (!signal.aborted) tiles.forEach((tile) => tile.empty());
      throw error;
    } finally {
      if (!signal.aborted) this.grid.setAttribute("aria-busy", "false");
    }
  }

  private showSource(): void {
    const { input } = this.app;
    this.source.hidden = input.value === null;
    if (input.value === null) return;
    this.source.replaceChildren(
      thumbnail(input.value, "model"),
      h("span", {}, "Redraws this one"),
      h("button", { class: "button quiet", type: "button", onclick: () => (input.value = null) }, "Back to the canvas"),
    );
  }

  private showHint(): void {
    const { model } = this.app;
    const categories = model.value.kind === "ready" ? model.value.engine.info.categories : [];
    this.hint.replaceChildren(
      h("p", { class: "hint-title" }, "Draw a thing."),
      h("p", {}, "As you lift the pen, the model draws it again, in blue pencil."),
    );
    if (categories.length === 0) return;
    const names = categories.map((name) =>
      h(
        "button",
        {
          type: "button",
          class: "word",
          title: `See what it draws as ${name}`,
          onclick: () => {
            this.app.wanted.value = name;
            this.app.view.value = "wander";
          },
        },
        name,
      ),
    );
    this.hint.append(
      h(
        "p",
        { class: "words-title" },
        categories.length === 1 ? "It has learned one thing" : `It has learned ${categories.length} things`,
      ),
      h("p", { class: "words" }, ...names),
    );
  }
}
