import { levelBetween } from "../../core/flow";
import type { Engine } from "../../engine/api";
import type { App, View } from "../app";
import { levelAmong, slerp, slerpAmong } from "../blending";
import { h } from "../dom";
import { choice } from "../fields";
import { MODEL_FRAME } from "../frames";
import { Latest } from "../latest";
import { drawSettings } from "../settings";
import { Codes, type Source, SourceSlot } from "../source";
import type { Tile } from "../tile";

/** Drawings of the way from one to the other, and a side of the grid among four. */
const STEPS = 7;
const SIDE = 5;
/** Same random numbers at every place, so that neighbours are alike. */
const SEED = 1;
/** What four corners are at first, where the model knows them. */
const FIRST = ["face", "pig", "mushroom", "fish"];

/** Between two drawings, or among four. */
export class BlendView implements View {
  readonly element: HTMLElement;
  private readonly slots: readonly [SourceSlot, SourceSlot, SourceSlot, SourceSlot];
  private readonly middle: Tile;
  private readonly way: readonly Tile[];
  private readonly grid: readonly Tile[];
  private readonly slider: HTMLInputElement;
  private readonly two = h("div", { class: "blend-two" });
  private readonly four = h("div", { class: "blend-four" });
  private readonly latestMiddle = new Latest();
  private readonly latestRest = new Latest();
  private codes: { readonly engine: Engine; readonly codes: Codes } | null = null;
  private corners = 2;
  private seen = false;

  constructor(private readonly app: App) {
    const slot = (name: string): SourceSlot => new SourceSlot(app, name, { kind: "canvas" });
    this.slots = [slot("A"), slot("B"), slot("C"), slot("D")];
    this.middle = app.newTile("Between");
    this.way = Array.from({ length: STEPS }, (_, step) => app.newTile(`Step ${step + 1} of ${STEPS}`));
    this.grid = Array.from({ length: SIDE * SIDE }, (_, index) =>
      app.newTile(`Row ${Math.floor(index / SIDE) + 1}, column ${(index % SIDE) + 1}`),
    );
    this.middle.element.dataset["testid"] = "blend-tile";
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.01,
      value: 0.5,
      "aria-label": "From A to B",
      "data-testid": "blend",
      oninput: () => {
        this.slider.style.setProperty("--share", this.slider.value);
        this.requestMiddle();
      },
    });
    this.slider.style.setProperty("--share", "0.5");
    const corners = choice(
      "Sources",
      [
        [2, "Between two"],
        [4, "Among four"],
      ],
      2,
      (value) => {
        this.corners = value;
        this.arrange();
        this.request();
      },
    );
    this.element = h(
      "div",
      { class: "view blend" },
      h("div", { class: "stage" }, this.two, this.four),
      h("div", { class: "controls" }, corners),
    );
    this.arrange();
    for (const each of this.slots) each.source.watch(() => this.request());
    app.settled.watch(() => {
      this.slots.forEach((each) => each.show());
      if (this.slots.some(({ source }) => source.value.kind === "canvas")) this.request();
    });
    app.settings.watch((now, before) => now.temperature !== before.temperature && this.request());
    app.model.follow((model) => {
      if (model.kind !== "ready") return;
      this.codes = { engine: model.engine, codes: new Codes(model.engine, app) };
      this.begin(model.engine.info.categories);
      this.request();
    });
  }

  missing({ info }: Engine): string | null {
    return info.hasEncoder
      ? null
      : "This model cannot see drawings, so it cannot blend them; Finish and Wander work with it.";
  }

  enter(): void {
    this.seen = true;
    const [first] = this.slots;
    const model = this.app.model.value;
    if (this.app.settled.value.length === 0 && first.source.value.kind === "canvas" && model.kind === "ready") {
      first.source.value = this.categorySource(model.engine.info.categories, 0);
    }
    this.request();
  }

  leave(): void {
    this.seen = false;
    this.latestMiddle.abort();
    this.latestRest.abort();
  }

  /** Something in each corner, so that there is something to see at once. */
  private begin(categories: readonly string[]): void {
    this.slots.forEach(({ source }, index) => {
      const isKnown = source.value.kind !== "category" || categories.includes(source.value.category);
      const isFirst = index > 0 && source.value.kind === "canvas";
      if (!isKnown || isFirst) source.value = this.categorySource(categories, index);
    });
  }

  private categorySource(categories: readonly string[], index: number): Source {
    const liked = FIRST[index]!;
    const category = categories.includes(liked) ? liked : categories[(index * 7) % Math.max(1, categories.length)];
    return category === undefined ? { kind: "canvas" } : { kind: "category", category };
  }

  private arrange(): void {
    const [a, b, c, d] = this.slots;
    this.two.hidden = this.corners !== 2;
    this.four.hidden = this.corners !== 4;
    if (this.corners === 2) {
      this.two.replaceChildren(
        h("div", { class: "blend-middle" }, this.middle.element),
        h("div", { class: "blend-slider" }, a.element, this.slider, b.element),
        h(
          "div",
          { class: "grid way", role: "group", "aria-label": "The way from A to B" },
          ...this.way.map(({ element }) => element),
        ),
      );
    } else {
      this.four.replaceChildren(
        a.element,
        b.element,
        h(
          "div",
          { class: "grid five", role: "group", "aria-label": "Among the four", "data-testid": "blend-grid" },
          ...this.grid.map(({ element }) => element),
        ),
        c.element,
        d.element,
      );
    }
  }

  private get sources(): readonly Source[] {
    return this.slots.slice(0, this.corners).map(({ source }) => source.value);
  }

  private get isEmpty(): boolean {
    return this.app.settled.value.length === 0 && this.sources.some(({ kind }) => kind === "canvas");
  }

  private request(): void {
    if (!this.seen || !this.codes) return;
    const { engine, codes } = this.codes;
    if (this.missing(engine)) return;
    if (this.isEmpty) {
      this.latestRest.abort();
      this.app.status.say("The canvas is empty; draw something, or choose another source.");
      return;
    }
    if (this.corners === 2) this.requestMiddle();
    this.app.attempt(
      this.latestRest.run(async (signal) => {
        const found = await Promise.all(this.sources.map((source) => codes.of(source)));
        if (signal.aborted) return;
        await Promise.all(this.slots.slice(0, this.corners).map((slot) => slot.imagine(engine, codes)));
        if (signal.aborted) return;
        await (this.corners === 2 ? this.drawWay(engine, found, signal) : this.drawGrid(engine, found, signal));
      }),
    );
  }

  private requestMiddle(): void {
    if (!this.codes || this.isEmpty || !this.seen) return;
    const { engine, codes } = this.codes;
    const { middle } = this;
    const share = this.slider.valueAsNumber;
    this.app.attempt(
      this.latestMiddle.run(async (signal) => {
        const [a, b] = await Promise.all(this.sources.map((source) => codes.of(source)));
        if (signal.aborted || !a || !b) return;
        const drawn = await engine.drawCodes([slerp(a, b, share)], {
          samples: 1,
          seed: SEED,
          settings: drawSettings(this.app.settings.value),
          levels: [levelBetween(share)],
          signal,
        });
        if (!signal.aborted) middle.show(drawn[0]![0]!, { frame: MODEL_FRAME, at: "end" });
      }),
    );
  }

  private drawWay(engine: Engine, [a, b]: readonly Float32Array[], signal: AbortSignal): Promise<void> {
    const shares = this.way.map((_, step) => step / (STEPS - 1));
    const codes = shares.map((share) => slerp(a!, b!, share));
    return this.drawTiles(engine, codes, shares.map(levelBetween), this.way, signal);
  }

  private drawGrid(engine: Engine, corners: readonly Float32Array[], signal: AbortSignal): Promise<void> {
    const [a, b, c, d] = corners;
    const places = this.grid.map((_, index) => [index % SIDE, Math.floor(index / SIDE)].map((at) => at / (SIDE - 1)));
    const codes = places.map(([x, y]) => slerpAmong([a!, b!, c!, d!], x!, y!));
    return this.drawTiles(engine, codes, places.map(([x, y]) => levelAmong(x!, y!)), this.grid, signal);
  }

  private async drawTiles(
    engine: Engine,
    codes: readonly Float32Array[],
    levels: readonly number[],
    tiles: readonly Tile[],
    signal: AbortSignal,
  ): Promise<void> {
    tiles.forEach((tile) => tile.expect());
    await engine.drawCodes(codes, {
      samples: 1,
      seed: SEED,
      settings: drawSettings(this.app.settings.value),
      levels,
      signal,
      onDrawing: (code, _, drawing) => signal.aborted || tiles[code]?.show(drawing, { frame: MODEL_FRAME }),
    });
  }
}
