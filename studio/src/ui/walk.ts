import { BETWEEN, type Drawing, type Point } from "../core/types";
import type { Engine } from "../engine/api";
import { saveAs, toMorph, toSvg } from "../export/index";
import type { App } from "./app";
import { alongPath } from "./atlas-view";
import { Cell } from "./cell";
import { contactSheet } from "./contact-sheet";
import { h, refill } from "./dom";
import { including, MODEL_FRAME } from "./frames";
import { icon } from "./icons";
import { Latest } from "./latest";
import { drawSettings } from "./settings";
import { wantsStillness } from "./theme";
import { eachFrame } from "./ticker";
import type { Tile } from "./tile";

/** Drawings of a walk, and milliseconds that each is seen. */
const FRAMES = 24;
const EACH = 90;
/** Drawings of the strip, and its width on paper in mm: that of an A4 sheet with a margin. */
const STRIP = 12;
const STRIP_MM = 277;
const LINE_MM = 0.35;
/** Side of the GIF in pixels. */
const SIDE = 480;
/** The same random numbers all along, so that neighbours are alike. */
const SEED = 1;

/** A path over the map, and what the model draws along it: a film there and back, a GIF, a strip. */
export class Walk {
  readonly element: HTMLElement;
  readonly isOn = new Cell(false);
  path: Point[] = [];
  private frames: Drawing[] = [];
  private readonly tile: Tile;
  private readonly slider: HTMLInputElement;
  private readonly playing: HTMLButtonElement;
  private readonly hint = h("p", { class: "aside" });
  private readonly film: HTMLElement;
  private readonly latest = new Latest();
  private stop: (() => void) | null = null;

  constructor(private readonly app: App) {
    this.tile = app.newTile("On the walk");
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: FRAMES - 1,
      step: 1,
      value: 0,
      "aria-label": "Along the walk",
      "data-testid": "walk-slider",
      oninput: () => {
        this.pause();
        this.show(this.slider.valueAsNumber);
      },
    });
    const button = (testId: string, act: () => void, ...content: (Node | string)[]): HTMLButtonElement =>
      h("button", { class: "button", type: "button", "data-testid": testId, onclick: act }, ...content);
    this.playing = button("walk-play", () => (this.stop ? this.pause() : this.play()));
    this.film = h(
      "div",
      { class: "walk-film", hidden: true, "data-testid": "walk" },
      this.tile.element,
      h(
        "div",
        {},
        this.slider,
        h(
          "div",
          { class: "buttons" },
          this.playing,
          button("walk-gif", () => app.attempt(this.saveGif()), icon("take"), "GIF"),
          button("walk-strip", () => app.attempt(this.saveStrip()), icon("take"), "Strip as SVG"),
        ),
      ),
    );
    this.element = h("div", { class: "walk", hidden: true }, this.hint, this.film);
    this.isOn.follow((isOn) => {
      this.element.hidden = !isOn;
      if (!isOn) this.forget();
    });
    this.forget();
  }

  forget(): void {
    this.leave();
    this.path = [];
    this.frames = [];
    this.film.hidden = true;
    this.hint.textContent =
      "Draw a path over the map: the drawing changes along it. With keys, Enter begins and ends it, arrows walk.";
  }

  leave(): void {
    this.latest.abort();
    this.pause();
  }

  /** The path is drawn: all along it the model draws, from its beginning on. */
  async end(engine: Engine): Promise<void> {
    if (this.path.length < 2) return this.forget();
    this.frames = [];
    this.hint.textContent = "The model draws along the path.";
    await this.latest.run(async (signal) => {
      const codes = await Promise.all(alongPath(this.path, FRAMES).map((place) => engine.codeAt(place)));
      if (signal.aborted) return;
      const found = await engine.drawCodes(codes, {
        samples: 1,
        seed: SEED,
        settings: drawSettings(this.app.settings.value),
        levels: codes.map(() => BETWEEN),
        signal,
        onDrawing: (index) => {
          if (!signal.aborted) this.hint.textContent = `The model draws along the path: ${index + 1} of ${FRAMES}.`;
        },
      });
      if (signal.aborted) return;
      this.frames = found.map(([drawing]) => drawing!);
      this.film.hidden = false;
      this.hint.textContent = "";
      this.app.tell("The walk is drawn.");
      this.film.scrollIntoView({ block: "nearest" });
      this.show(0);
      if (wantsStillness()) this.pause();
      else this.play();
    });
  }

  private get frame() {
    return this.frames.reduce((frame, drawing) => including(frame, drawing), MODEL_FRAME);
  }

  private show(index: number): void {
    const drawing = this.frames[index];
    if (drawing) this.tile.show(drawing, { frame: this.frame, at: "end" });
    this.slider.valueAsNumber = index;
    this.slider.style.setProperty("--share", String(index / (FRAMES - 1)));
  }

  private play(): void {
    let time = this.slider.valueAsNumber * EACH;
    refill(this.playing, icon("pause"), "Pause");
    this.stop = eachFrame((seconds) => {
      time += 1000 * seconds;
      const turn = 2 * (FRAMES - 1);
      const at = Math.floor(time / EACH) % turn;
      const index = at < FRAMES ? at : turn - at;
      if (index !== this.slider.valueAsNumber) this.show(index);
      return true;
    });
  }

  private pause(): void {
    this.stop?.();
    this.stop = null;
    refill(this.playing, icon("play"), "Play");
  }

  private async saveGif(): Promise<void> {
    await saveAs(await toMorph(this.frames, { size: SIDE, each: EACH, frame: this.frame }), "walk.gif");
  }

  private async saveStrip(): Promise<void> {
    const drawings = alongPath([[0, 0], [FRAMES - 1, 0]], STRIP).map(([index]) => this.frames[Math.round(index)]!);
    const svg = toSvg(contactSheet(drawings, STRIP, this.frame), { widthMm: STRIP_MM, strokeMm: LINE_MM });
    await saveAs(new Blob([svg], { type: "image/svg+xml" }), "walk.svg");
  }
}
