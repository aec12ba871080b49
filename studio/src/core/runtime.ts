import type { RasterSpec } from "./raster";

/** How points become rows for the decoder; travels with the model. */
export interface SequenceSpec {
  /** Where the pen is before the first row: in the centre of the bounds, or on the first point, as in sketch-rnn. */
  readonly start: "first" | "centre";
  /** Canvas units a unit of the model. */
  readonly scale: number;
}

/** What drawing needs to know of a model. */
export interface ModelInfo {
  /** "none" sees nothing: a decoder-only model. "rnn" reads strokes, every other one sees ink. */
  readonly encoder: string;
  readonly zSize: number;
  readonly raster: RasterSpec;
  readonly sequence: SequenceSpec;
  readonly categories: readonly string[];
  readonly training: Readonly<Record<string, unknown>>;
}

/** Numbers of n drawings: `dims` begins with n. */
export interface Values {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Where n drawings are. `fixed` stays the same while drawing. */
export interface State {
  readonly fixed: readonly Values[];
  readonly moving: readonly Values[];
}

/** The mixture of n next rows; n numbers of each component, drawing by drawing. */
export interface Mixture {
  readonly components: number;
  readonly logPi: Float32Array;
  readonly muX: Float32Array;
  readonly muY: Float32Array;
  readonly logSigmaX: Float32Array;
  readonly logSigmaY: Float32Array;
  readonly rho: Float32Array;
  /** Log probabilities of pen down, pen up and end. */
  readonly logPen: Float32Array;
}

/** A network that draws: `drawing/runtime.py`, over flat arrays of n drawings. */
export interface Runtime {
  readonly info: ModelInfo;

  /** Codes `n * z` of ink `n * size * size` in 0..1. */
  encodeInk(ink: Float32Array, n: number): Promise<Float32Array>;

  /** Codes `n * z` of stroke-5 rows `n * time * 5`, of which the drawings have `lengths`. */
  encodeRows(rows: Float32Array, lengths: Int32Array): Promise<Float32Array>;

  /**
   * The state before the first row of drawings of codes `n * z`. With ink `n * size * size` in 0..1 a model with a
   * glimpse looks at the pictures while it draws; without it, and of blank ones, it has the codes alone.
   */
  start(codes: Float32Array, n: number, pictures?: Float32Array): Promise<State>;

  /** Last rows `n * 5` (the first: `startRows`) -> the mixture of the next rows, and the state after it. */
  step(rows: Float32Array, state: State): Promise<readonly [Mixture, State]>;
}

export const ROW = 5;

/** The pen states, in the order of stroke-5's last three columns. */
export const Pen = { down: 0, up: 1, end: 2 } as const;

/** The rows before the first, `n * 5`. */
export function startRows(info: ModelInfo, n: number): Float32Array {
  const rows = new Float32Array(n * ROW);
  const pen = info.sequence.start === "first" ? Pen.down : Pen.up;
  for (let index = 0; index < n; index++) rows[index * ROW + 2 + pen] = 1;
  return rows;
}

/** The drawings `chosen` of a state, in that order; repeats allowed. */
export function selectState(state: State, chosen: readonly number[]): State {
  const select = (values: Values): Values => selectValues(values, chosen);
  return { fixed: state.fixed.map(select), moving: state.moving.map(select) };
}

function selectValues({ data, dims }: Values, chosen: readonly number[]): Values {
  const width = dims.slice(1).reduce((product, size) => product * size, 1);
  return { data: selectRows(data, width, chosen), dims: [chosen.length, ...dims.slice(1)] };
}

/** Rows of a table with `width` columns. */
export function selectRows(table: Float32Array, width: number, chosen: readonly number[]): Float32Array {
  const selected = new Float32Array(chosen.length * width);
  chosen.forEach((row, index) => selected.set(table.subarray(row * width, (row + 1) * width), index * width));
  return selected;
}

/** Called between rows: lets other work in, and throws where this one was given up. */
export type Turn = () => Promise<void>;

/** What a model folder's config.json says. Throws where it is of another make. */
export function readConfig(text: string): ModelInfo {
  const config: unknown = JSON.parse(text);
  if (!isRecord(config) || config["version"] !== 1) throw new Error("it is not the configuration of a model");
  const { model, sequence, categories, training } = config;
  if (!isRecord(model) || !isRecord(sequence) || !Array.isArray(categories)) {
    throw new Error("settings of the model are missing");
  }
  const raster = model["raster"];
  const spec = isRecord(raster) ? raster : {};
  const start = sequence["start"];
  if (start !== "first" && start !== "centre") throw new Error("it does not say where drawings start");
  return {
    encoder: String(model["encoder"]),
    zSize: numberIn(model, "z_size"),
    raster: { size: numberIn(spec, "size"), line: numberIn(spec, "line"), margin: numberIn(spec, "margin") },
    sequence: { start, scale: numberIn(sequence, "scale") },
    categories: categories.map(String),
    training: isRecord(training) ? training : {},
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberIn(record: Record<string, unknown>, name: string): number {
  const value = record[name];
  if (typeof value !== "number") throw new Error(`its setting ${name} is missing`);
  return value;
}
