import type { Engine } from "../../engine/api";
import type { App, View } from "../app";
import { CategoryField } from "../category";
import { h, refill } from "../dom";
import { settingSlider } from "../fields";
import { icon } from "../icons";
import { Latest } from "../latest";
import { drawSettings } from "../settings";
import { wantsStillness } from "../theme";

/** Tiles of the stream; drawn in this order over and over, so that new ones come here and there. */
const ORDER = [4, 0, 8, 2, 6, 1, 7, 3, 5, 10, 9, 11];
/** Drawings that are asked for together. */
const TOGETHER = 3;
/** Between new drawings, in milliseconds. */
const PAUSE = 1100;

/** Things from nothing, one after the other without end. */
export class WanderView implements View {
  readonly element: HTMLElement;
  private readonly tiles;
  private readonly category: CategoryField;
  private readonly latest = new Latest();
  private readonly button: HTMLButtonElement;
  private seen = false;
  private paused = wantsStillness();
  private next = 0;
  private seed = Math.floor(Math.random() * 2 ** 31);

  constructor(private readonly app: App) {
    this.tiles = ORDER.map((_, index) => app.newTile(`Imagined drawing ${index + 1}`));
    this.category = new CategoryField(
      "What",
      "Anything",
      (category) => (app.wanted.value = category),
      "wander-category",
    );
    this.button = h("button", { class: "button", type: "button", onclick: () => this.pause(!this.paused) });
    this.element = h(
      "div",
      { class: "view wander" },
      h(
        "div",
        { class: "stage" },
        h(
          "div",
          { class: "grid twelve", role: "group", "aria-label": "Imagined drawings", "data-testid": "imagined" },
          ...this.tiles.map(({ element }) => element),
        ),
      ),
      h(
        "div",
        { class: "controls" },
        this.category.element,
        settingSlider(app.settings, "temperature", { name: "Temperature", min: 0, max: 1, step: 0.05 }),
        h("div", { class: "buttons" }, this.button),
      ),
    );
    this.pause(this.paused);
    app.wanted.follow((category) => {
      this.category.value = category;
      this.restart();
    });
    app.settings.watch((now, before) => {
      if (now.temperature !== before.temperature) this.restart();
    });
    app.model.follow((model) => {
      if (model.kind !== "ready") return;
      this.category.offer(model.engine.info.categories);
      this.restart();
    });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.latest.abort() : this.restart()));
  }

  missing({ info }: Engine): string | null {
    return info.hasFlow || !info.hasEncoder
      ? null
      : "This model has learned no way to draw from nothing; one that was trained by this package has.";
  }

  enter(): void {
    this.seen = true;
    this.restart();
  }

  leave(): void {
    this.seen = false;
    this.latest.abort();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key.toLowerCase() !== "r") return false;
    this.restart();
    return true;
  }

  private pause(paused: boolean): void {
    this.paused = paused;
    refill(this.button, icon(paused ? "play" : "pause"), paused ? "Go on" : "Pause");
    if (paused) this.latest.abort();
    else this.restart();
  }

  private restart(): void {
    const model = this.app.model.value;
    if (!this.seen || model.kind !== "ready" || this.missing(model.engine) || document.hidden) return;
    this.app.attempt(this.latest.run((signal) => this.stream(model.engine, signal)));
  }

  /** Where motion is not wanted, one sheet of drawings and no more. */
  private async stream(engine: Engine, signal: AbortSignal): Promise<void> {
    const shownTiles = this.tiles.filter(({ element }) => element.offsetParent !== null);
    let left = this.paused ? shownTiles.length : Infinity;
    let fills = true;
    while (!signal.aborted && left > 0) {
      const drawings = await engine.generate(this.app.wanted.value, {
        samples: fills ? shownTiles.length : TOGETHER,
        seed: this.seed++,
        settings: drawSettings(this.app.settings.value),
        signal,
        onDrawing: (_, sample, drawing) => fills && !signal.aborted && shownTiles[sample]?.show(drawing),
      });
      for (const drawing of fills ? [] : drawings) {
        await rest(PAUSE, signal);
        if (signal.aborted) return;
        const order = ORDER.filter((index) => index < shownTiles.length);
        shownTiles[order[this.next++ % order.length]!]?.show(drawing);
      }
      left -= drawings.length;
      fills = false;
    }
  }
}

function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
