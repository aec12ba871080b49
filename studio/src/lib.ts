/**
 * What code people load: a model that draws, in a few lines, beside p5.js or anything else.
 *
 *     import { load } from "./sketch-pix2seq.js";
 *     const model = await load("./model/");
 *     const drawing = await model.draw(strokes, { temperature: 0.3, seed: 1 });
 */

import { levelBetween } from "./core/flow";
import { DEFAULT_SETTINGS, type Drawing, type DrawSettings, type Stroke } from "./core/types";
import { type DrawRequest, type Engine, EngineError, type EngineInfo, type Guess } from "./engine/api";
import { loadEngine } from "./engine/client";

export { EngineError };
export type { Drawing, EngineInfo, Guess, Stroke };
export type { Point } from "./core/types";

/** A drawing, or its strokes alone: lists of [x, y], x to the right and y down, in whatever units you draw in. */
export type Strokes = Drawing | readonly Stroke[];

export interface ModelOptions {
  /** "wasm" runs everywhere, "webgpu" where the browser has it. */
  readonly device?: "wasm" | "webgpu";
  readonly onProgress?: (loaded: number, total: number) => void;
}

export interface DrawOptions extends Partial<DrawSettings> {
  /** The same seed gives the same drawing. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** The drawing as it grows. */
  readonly onRow?: (soFar: Drawing) => void;
}

export interface RedrawOptions extends DrawOptions {
  /** What it shows, for freedom above 0; unless given, what the model takes it for. */
  readonly category?: string;
}

export interface CompleteOptions extends Omit<DrawOptions, "onRow"> {
  /** What it shall become. */
  readonly category?: string;
}

/** Loads a model folder by its address, relative to the page. Rejects with an `EngineError` that says what is wrong. */
export async function load(folder = "./model/", options: ModelOptions = {}): Promise<SketchModel> {
  return new SketchModel(await loadEngine({ base: folder, device: "wasm", ...options }));
}

/** A model that is loaded and draws in a worker of its own. */
export class SketchModel {
  /** `load` makes one. */
  constructor(readonly engine: Engine) {}

  get info(): EngineInfo {
    return this.engine.info;
  }

  get categories(): readonly string[] {
    return this.engine.info.categories;
  }

  /** Redraws a drawing, in its place and size; `freedom` says how closely. */
  async draw(strokes: Strokes, options: RedrawOptions = {}): Promise<Drawing> {
    const [drawing] = await this.drawMany(strokes, 1, options);
    return drawing!;
  }

  /** Redraws a drawing several times. */
  drawMany(strokes: Strokes, samples: number, { category, ...options }: RedrawOptions = {}): Promise<Drawing[]> {
    return this.engine.redraw(drawingOf(strokes), { ...requestOf(samples, options), category: category ?? null });
  }

  /** Draws a thing of a category from nothing, or of any; about 255 units wide or high. */
  async generate(category: string | null = null, options: DrawOptions = {}): Promise<Drawing> {
    const [drawing] = await this.engine.generate(category, requestOf(1, options));
    return drawing!;
  }

  /** What a drawing may show, the likeliest first. */
  recognise(strokes: Strokes, count = 3): Promise<Guess[]> {
    return this.engine.recognise(drawingOf(strokes), count);
  }

  /** Goes on with a started drawing: its strokes as they are, and new ones. */
  async complete(strokes: Strokes, { category, ...options }: CompleteOptions = {}): Promise<Drawing> {
    const request = { ...requestOf(1, options), category: category ?? null };
    const [completion] = await this.engine.complete(drawingOf(strokes), request);
    return completion!.drawing;
  }

  /** Draws something between two drawings: `share` of it is the second's. */
  async blend(first: Strokes, second: Strokes, share = 0.5, options: DrawOptions = {}): Promise<Drawing> {
    const [a, b] = await Promise.all([this.engine.encode(drawingOf(first)), this.engine.encode(drawingOf(second))]);
    const code = a.map((value, index) => (1 - share) * value + share * b[index]!);
    const request = { ...requestOf(1, options), levels: [levelBetween(share)] };
    const [drawings] = await this.engine.drawCodes([code], request);
    return drawings![0]!;
  }

  /** Ends the worker. */
  close(): void {
    this.engine.close();
  }
}

function drawingOf(strokes: Strokes): Drawing {
  return "strokes" in strokes ? strokes : { strokes };
}

function requestOf(samples: number, { seed = 0, signal, onRow, ...given }: DrawOptions): DrawRequest {
  const settings = { ...DEFAULT_SETTINGS, ...given };
  return {
    samples,
    seed,
    settings,
    ...(signal && { signal }),
    ...(onRow && { onRow: (_code: number, _sample: number, soFar: Drawing) => onRow(soFar) }),
  };
}
