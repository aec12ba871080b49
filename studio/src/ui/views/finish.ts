import { frameOf } from "../../core/geometry";
import type { Drawing, Stroke } from "../../core/types";
import type { Completion, Engine } from "../../engine/api";
import type { App, View } from "../app";
import { compare } from "../challenge";
import { CategoryField } from "../category";
import { h } from "../dom";
import { choice } from "../fields";
import { icon } from "../icons";
import { modelDrawing, inkOf } from "../ink";
import { Latest } from "../latest";
import { differing } from "../proposals";
import { otherDrawings, seed } from "../seeds";
import { drawSettings } from "../settings";
import { Tile } from "../tile";
import { thumbnail } from "../thumbnail";
import { isTracing } from "../tracing";

const WAYS = 6;
/** Probability from which the model is said to see nothing missing. */
const FINISHED = 0.5;
const AT_A_TIME = [
  [Infinity, "All of it"],
  [2, "Two strokes"],
  [1, "One"],
] as const;

/** Ways to go on from where the pen is: faint on the canvas, small in the panel. */
export class FinishView implements View {
  readonly element: HTMLElement;
  private readonly tiles: readonly Tile[];
  private readonly grid: HTMLElement;
  private readonly category: CategoryField;
  private readonly turns: HTMLInputElement;
  private readonly opinion = h("p", { class: "opinion", role: "status", "data-testid": "opinion" });
  private readonly take: HTMLButtonElement;
  private readonly challenge = h("div", { class: "source", hidden: true, "data-testid": "challenge" });
  private readonly latest = new Latest();
  private readonly comparing = new Latest();
  private ways: readonly (readonly Stroke[])[] = [];
  private chosen = 0;
  private seen = false;
  private wasChosen = false;
  private strokes = Infinity;

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
    this.turns = h("input", { type: "checkbox", "data-testid": "turns", onchange: () => this.request() });
    const strokes = choice("At a time", AT_A_TIME, Infinity, (count) => {
      this.strokes = count;
      this.request();
    });
    this.take = h(
      "button",
      { class: "button primary", type: "button", "data-testid": "take-proposal", onclick: () => this.takeChosen() },
      icon("check"),
      "Take it",
    );
    this.element = h(
      "div",
      { class: "view finish" },
      this.challenge,
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
      this.opinion,
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
        strokes,
        h("label", { class: "check" }, this.turns, h("span", {}, "Take turns, a stroke each")),
        h(
          "div",
          { class: "buttons" },
          h("button", { class: "button", type: "button", onclick: otherDrawings }, icon("shuffle"), "Other ways"),
          this.take,
        ),
      ),
    );
    app.challenge.follow((half) => {
      this.showChallenge(half);
      this.request();
    });
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

  missing({ info }: Engine): string | null {
    return info.hasFlow || !info.hasEncoder
      ? null
      : "This model has learned no way to go on with a drawing; one with a flow over codes has.";
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

  /** While one finishes half a drawing, the model keeps its own ending to itself. */
  private showChallenge(half: Drawing | null): void {
    const { app } = this;
    this.challenge.hidden = half === null;
    this.element.dataset["challenged"] = String(half !== null);
    if (half === null) return;
    const end = (): void => void (app.challenge.value = null);
    this.challenge.replaceChildren(
      thumbnail(half, "person"),
      h("span", {}, half.category === undefined ? "Finish this drawing." : `Finish this: ${half.category}.`),
      h(
        "button",
        { class: "button primary", type: "button", "data-testid": "compare", onclick: () => this.compare(half) },
        "Compare with the model's",
      ),
      h("button", { class: "icon-button", type: "button", "aria-label": "End the challenge", onclick: end }, icon("close")),
    );
  }

  private compare(half: Drawing): void {
    const { app } = this;
    const model = app.model.value;
    if (model.kind !== "ready") return app.status.say("The model is not ready yet.");
    if (app.settled.value.length === 0) return app.status.say("The canvas is empty; finish the drawing first.");
    app.attempt(this.comparing.run((signal) => compare(app, model.engine, half, signal)));
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
    this.opinion.textContent = "";
    this.element.dataset["empty"] = String(started.strokes.length === 0);
    if (started.strokes.length === 0 || this.app.challenge.value) {
      this.latest.abort();
      this.tiles.forEach((tile) => tile.empty());
    } else if (model.kind === "ready" && !this.missing(model.engine)) {
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
        signal,
      });
      if (!signal.aborted) this.offer(found, started);
    } catch (error) {
      if (!signal.aborted) this.tiles.forEach((tile) => tile.empty());
      throw error;
    } finally {
      if (!signal.aborted) this.grid.setAttribute("aria-busy", "false");
    }
  }

  private offer(found: readonly Completion[], started: Drawing): void {
    const finished = found[0]?.finished ?? 0;
    const isFinished = finished >= FINISHED;
    const additions = found.map((one) => one.drawing.strokes.slice(one.started)).filter((way) => way.length > 0);
    if (this.turns.checked) {
      const isTheirs = this.app.settled.value.at(-1)?.by === "person";
      const stroke = additions[0]?.[0];
      this.tiles.forEach((tile) => tile.empty());
      const isDone = isFinished || !stroke;
      this.opinion.textContent = isDone ? "The model thinks that it is done." : isTheirs ? "" : "It is your turn.";
      if (isDone) {
        const take = (): void => this.app.takeWithYou();
        this.opinion.append(" ", h("button", { class: "button quiet", type: "button", onclick: take }, "Take it with you"));
      }
      if (isTheirs && stroke && !isFinished) this.add([stroke]);
      return;
    }
    this.ways = differing(additions.map((way) => way.slice(0, this.strokes)));
    this.tiles.forEach((tile, index) => {
      const way = this.ways[index];
      if (way) tile.show({ strokes: way }, { frame: frameOf([...started.strokes, ...way]), under: started.strokes });
      else tile.empty();
    });
    this.take.disabled = this.ways.length === 0;
    this.opinion.textContent =
      isFinished || this.ways.length === 0
        ? "It looks finished to the model. You can go on all the same."
        : "";
    // Over what is finished nothing is scribbled, unless one asks for it.
    this.choose(0, !isFinished);
    if (this.ways.length > 0) this.app.tell(`${this.ways.length} ways to go on are there.`);
  }

  private add(strokes: readonly Stroke[]): void {
    this.app.sheet.change([...this.app.sheet.ink.value, ...inkOf({ strokes }, "model")]);
  }

  private choose(index: number, onCanvas = true): void {
    const way = this.ways[index];
    if (!way) return;
    this.chosen = index;
    this.tiles.forEach(({ element, face }, other) => {
      element.classList.toggle("chosen", other === index);
      face.setAttribute("aria-current", String(other === index));
    });
    this.app.paper.propose(onCanvas ? { strokes: way } : null);
  }

  private takeChosen(): void {
    const way = this.ways[this.chosen];
    if (!way) return;
    this.forget();
    this.add(way);
  }
}
