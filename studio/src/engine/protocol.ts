import type { Drawing, DrawSettings, Point, Stroke } from "../core/types";
import type { EngineInfo, Guess, Place } from "./api";

/** What the client asks of the worker: arguments and result of each call. */
export interface Calls {
  load: [{ readonly base: string; readonly device: "wasm" | "webgpu" }, PackedInfo];
  encode: [{ readonly drawing: PackedDrawings }, Float32Array];
  drawCodes: [
    { readonly codes: readonly Float32Array[]; readonly levels: readonly number[] | null } & Draw,
    PackedDrawings,
  ];
  redraw: [{ readonly drawing: PackedDrawings; readonly category: string | null } & Draw, PackedDrawings];
  generate: [{ readonly category: string | null } & Draw, PackedDrawings];
  codeOfCategory: [{ readonly category: string; readonly seed: number }, Float32Array];
  recognise: [{ readonly drawing: PackedDrawings; readonly count: number }, readonly Guess[]];
  complete: [{ readonly started: PackedDrawings; readonly request: PlainCompleteRequest }, PackedCompletions];
  locate: [{ readonly code: Float32Array; readonly neighbours: number }, Place];
  codeAt: [{ readonly place: Point }, Float32Array];
}

export type Kind = keyof Calls;
export type Arguments<K extends Kind> = Calls[K][0];
export type Result<K extends Kind> = Calls[K][1];

export interface Draw {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
  /** Whether rows are to be told as they come. */
  readonly rows: boolean;
}

export interface PlainCompleteRequest {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
  readonly category: string | null;
}

export interface PackedCompletions {
  readonly drawings: PackedDrawings;
  readonly started: readonly number[];
  readonly finished: readonly number[];
}

export interface PackedInfo extends Omit<EngineInfo, "atlas"> {
  readonly atlas: {
    readonly drawnBy: "people" | "model";
    readonly places: Float32Array;
    readonly categoryIds: Uint16Array;
    readonly categories: readonly string[];
    readonly drawings: PackedDrawings;
  } | null;
}

export type ToWorker =
  | { [K in Kind]: { readonly id: number; readonly kind: K; readonly given: Arguments<K> } }[Kind]
  | { readonly id: number; readonly kind: "abort" };

/** Drawings that are told of before the result: all that are new since the last time. */
export interface News {
  readonly at: readonly (readonly [code: number, sample: number])[];
  readonly drawings: PackedDrawings;
}

export type FromWorker =
  | { readonly id: number; readonly kind: "progress"; readonly loaded: number; readonly total: number }
  | { readonly id: number; readonly kind: "rows" | "drawings"; readonly news: News }
  | { readonly id: number; readonly kind: "done"; readonly result: unknown }
  | { readonly id: number; readonly kind: "failed"; readonly message: string };

/** Drawings in few arrays, which go between threads without a copy. */
export interface PackedDrawings {
  readonly points: Float64Array;
  /** Points of each stroke. */
  readonly strokes: Uint32Array;
  /** Strokes of each drawing. */
  readonly drawings: Uint32Array;
  readonly categories: readonly (string | null)[];
  readonly ended: readonly (boolean | null)[];
}

export function pack(drawings: readonly Drawing[]): PackedDrawings {
  const strokes = drawings.flatMap((drawing) => drawing.strokes);
  return {
    points: Float64Array.from(strokes.flat(2)),
    strokes: Uint32Array.from(strokes, (stroke) => stroke.length),
    drawings: Uint32Array.from(drawings, (drawing) => drawing.strokes.length),
    categories: drawings.map(({ category }) => category ?? null),
    ended: drawings.map(({ ended }) => ended ?? null),
  };
}

export function unpack(packed: PackedDrawings): Drawing[] {
  let [point, stroke] = [0, 0];
  return Array.from(packed.drawings, (count, index) => {
    const strokes = Array.from(packed.strokes.subarray(stroke, stroke + count), (length): Stroke => {
      const from = point;
      point += length;
      return Array.from({ length }, (_, i): Point => {
        const at = 2 * (from + i);
        return [packed.points[at]!, packed.points[at + 1]!];
      });
    });
    stroke += count;
    const [category, ended] = [packed.categories[index]!, packed.ended[index]!];
    return { strokes, ...(category !== null && { category }), ...(ended !== null && { ended }) };
  });
}

/** What can be handed over instead of being copied. */
export function buffersOf({ points, strokes, drawings }: PackedDrawings): ArrayBufferLike[] {
  return [points.buffer, strokes.buffer, drawings.buffer];
}
