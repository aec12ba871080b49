import type { Completion } from "../core/complete";
import type { Guess } from "../core/model";
import type { Drawing, DrawSettings, Point } from "../core/types";

/**
 * What the page asks of a model. `client.ts` implements it over a worker, so that nothing here stalls the page.
 *
 * Every call that draws takes an AbortSignal; an aborted call rejects with an "AbortError" and the worker goes on with
 * the next one at its next row. The same seed, weights and settings give the same strokes, as in Python.
 */
export interface Engine {
  readonly info: EngineInfo;

  /** The code z of a drawing: its picture as the encoder sees it. */
  encode(drawing: Drawing): Promise<Float32Array>;

  /**
   * Draw each code `samples` times, as they are: `settings.freedom` has no part in it. With levels, one a code from 0 to
   * 1, codes that no picture has, such as mixtures, are noised so far and brought back by the flow. `onRow` is called as the rows come
   * (throttled), so that a page can show the drawing grow; `onDrawing` is called for each drawing once it is finished.
   */
  drawCodes(
    codes: readonly Float32Array[],
    request: DrawRequest & { readonly levels?: readonly number[] },
  ): Promise<Drawing[][]>;

  /**
   * Redraw a drawing with the freedom of the settings, in the frame of the drawing: the same place and size on the page.
   * category: what it shows, for freedom above 0; unless given, what the classifier takes it for.
   */
  redraw(drawing: Drawing, request: DrawRequest & { readonly category?: string | null }): Promise<Drawing[]>;

  /** Drawings of a category from nothing, or (null) of any. Needs `info.hasFlow`, of a model that sees. */
  generate(category: string | null, request: DrawRequest): Promise<Drawing[]>;

  /** A code of a category, for blending, drawn by the flow. Needs `info.hasFlow`. */
  codeOfCategory(category: string, seed: number): Promise<Float32Array>;

  /** What a drawing may show, the likeliest first; 3 guesses unless told. Needs `info.hasClassifier`. */
  recognise(drawing: Drawing, count?: number): Promise<Guess[]>;

  /**
   * Ways to go on with a started drawing, the likeliest first. Each result begins with the started strokes as they are;
   * `started` tells how many strokes of it they are. Needs `info.hasFlow`, of a model that sees.
   */
  complete(started: Drawing, request: CompleteRequest): Promise<Completion[]>;

  /** Where a code belongs on the map, and the drawings nearest to it. Needs `info.atlas`. */
  locate(code: Float32Array, neighbours: number): Promise<Place>;

  /** The code that the map has at a place (0..1 a side): between those of the drawings nearby. Needs `info.atlas`. */
  codeAt(place: Point): Promise<Float32Array>;

  /** Ends the worker. */
  close(): void;
}

export interface EngineInfo {
  readonly name: string;
  readonly categories: readonly string[];
  /** Whether it sees pictures. A decoder-only model draws from nothing and completes, and does nothing else. */
  readonly hasEncoder: boolean;
  /** Whether it draws from nothing, varies pictures and goes on with drawings; else freedom is 0. */
  readonly hasFlow: boolean;
  /** Whether it names what a drawing shows. */
  readonly hasClassifier: boolean;
  readonly atlas: AtlasInfo | null;
  /** What the graphs run on. */
  readonly device: "wasm" | "webgpu";
  readonly threads: number;
  /** Why it is not what was asked for, in one sentence; empty where it is. */
  readonly notice: string;
  /** The model's training record, as its config.json has it. */
  readonly training: Readonly<Record<string, unknown>>;
}

/** A map of drawings: each has a place, a category, and a code that the worker keeps. */
export interface AtlasInfo {
  /** Whose drawings these are. */
  readonly drawnBy: "people" | "model";
  /** x and y in 0..1, two numbers a drawing. */
  readonly places: Float32Array;
  /** Index into `categories` of each drawing. */
  readonly categoryIds: Uint16Array;
  readonly categories: readonly string[];
  readonly drawings: readonly Drawing[];
}

export interface DrawRequest {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
  readonly signal?: AbortSignal;
  /** What there is so far of one drawing: row by row, or where a picture is followed stroke by stroke. */
  readonly onRow?: (code: number, sample: number, soFar: Drawing) => void;
  readonly onDrawing?: (code: number, sample: number, drawing: Drawing) => void;
}

export interface CompleteRequest {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
  readonly signal?: AbortSignal;
  /** What it shall become; null = whatever the strokes so far suggest. */
  readonly category: string | null;
}

export type { Completion, Guess };

export interface Place {
  readonly at: Point;
  readonly neighbours: readonly { readonly index: number; readonly distance: number }[];
}

export interface LoadOptions {
  /** Where the model's files lie: config.json, model.safetensors, encoder.onnx, start.onnx, decoder.onnx, and if it has
   * them flow.onnx, flow.safetensors, classifier.onnx, atlas.safetensors. */
  readonly base: string;
  /** "webgpu" falls back to "wasm" where there is none, and says so in `info.notice`. */
  readonly device: "wasm" | "webgpu";
  /** Bytes read of all files together, the runtime's own included. */
  readonly onProgress?: (loaded: number, total: number) => void;
}

/** What went wrong, in one sentence that a person can act on. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}
