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
  /** Whether the decoder attends to the picture where it is given. */
  readonly attends: boolean;
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

/** What n drawings are drawn from, beside their codes; what is left out is not told. */
export interface Told {
  /** The noise in each code. */
  readonly level?: Float32Array;
  /** Index of each category; the number of categories stands for "not told". */
  readonly category?: Int32Array;
  /** Ink `n * size * size` in 0..1 to attend to; where it is blank there is none. */
  readonly pictures?: Float32Array;
}

/** The next row of n drawings. */
export interface Rows {
  /** stroke-5, `n * 5`, in model units. */
  readonly rows: Float32Array;
  /** Log densities of the offset and of the pen state, in nats, `n * 2`. */
  readonly logDensity: Float32Array;
  readonly state: State;
}

/** What n rows are drawn by. */
export interface RowRequest {
  /** Last rows `n * 5` (the first: `startRows`). */
  readonly rows: Float32Array;
  /** Uniform numbers `n * 4` in [0, 1). */
  readonly chance: Float32Array;
  /** `n * 4`: temperature, pen temperature, whether the drawing may end, whether the next row is the given one. */
  readonly control: Float32Array;
  /** `n * 5`. */
  readonly given: Float32Array;
}

/** What n velocities of the flow over codes are asked of; `model/flow.py`. */
export interface FlowRequest {
  /** Codes and frames `n * (z + FRAME)`. */
  readonly x: Float32Array;
  readonly t: Float32Array;
  readonly category: Int32Array;
  /** Codes `n * z` of the strokes that are there. */
  readonly partial: Float32Array;
  /** 1 where there are any. */
  readonly started: Float32Array;
}

/** What a classifier says of itself. */
export interface ClassifierInfo {
  readonly categories: readonly string[];
  readonly raster: RasterSpec;
}

/** A network that draws: `drawing/runtime.py`, over flat arrays of n drawings. */
export interface Runtime {
  readonly info: ModelInfo;
  readonly hasFlow: boolean;
  /** What names pictures, where the model's folder has it. */
  readonly classifier: ClassifierInfo | null;

  /** Codes `n * z` of ink `n * size * size` in 0..1. */
  encodeInk(ink: Float32Array, n: number): Promise<Float32Array>;

  /** Codes `n * z` of stroke-5 rows `n * time * 5`, of which the drawings have `lengths`. */
  encodeRows(rows: Float32Array, lengths: Int32Array): Promise<Float32Array>;

  /** The state before the first row of drawings of codes `n * z`. A network takes no notice of what it cannot be told. */
  start(codes: Float32Array, n: number, told: Told): Promise<State>;

  /** The next rows, and the state after those that were handed over. */
  drawRow(request: RowRequest, state: State): Promise<Rows>;

  /** Velocities `n * (z + FRAME)`. Throws for a model without a flow. */
  velocity(request: FlowRequest): Promise<Float32Array>;

  /** How probable it is `n` that nothing is missing in drawings with the codes `n * z`, by the flow. */
  finished(category: Int32Array, partial: Float32Array): Promise<Float32Array>;

  /** Logits `n * categories` of the classifier for ink `n * size * size` in 0..1. Throws where there is none. */
  classify(ink: Float32Array, n: number): Promise<Float32Array>;
}

/** Numbers that say where started strokes lie in a whole drawing. */
export const FRAME = 3;

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

/** Numbers of each drawing. */
export function widthOf({ dims }: Values): number {
  return dims.slice(1).reduce((product, size) => product * size, 1);
}

/** The drawings `chosen`, in that order; repeats allowed. */
export function selectValues(values: Values, chosen: ArrayLike<number>): Values {
  return {
    data: selectRows(values.data, widthOf(values), chosen),
    dims: [chosen.length, ...values.dims.slice(1)],
  };
}

/** The drawings `chosen` of a state, in that order; repeats allowed. */
export function selectState(state: State, chosen: ArrayLike<number>): State {
  const select = (values: Values): Values => selectValues(values, chosen);
  return { fixed: state.fixed.map(select), moving: state.moving.map(select) };
}

/** Rows of a table with `width` columns. */
export function selectRows(table: Float32Array, width: number, chosen: ArrayLike<number>): Float32Array {
  const selected = new Float32Array(chosen.length * width);
  for (let index = 0; index < chosen.length; index++) {
    const row = chosen[index]!;
    selected.set(table.subarray(row * width, (row + 1) * width), index * width);
  }
  return selected;
}

/** Called between rows: lets other work in, and throws where this one was given up. */
export type Turn = () => Promise<void>;

export const NO_TURN: Turn = () => Promise.resolve();

/** What a model folder's config.json says. Throws where it is of another make. */
export function readConfig(text: string): ModelInfo {
  const config: unknown = JSON.parse(text);
  if (!isRecord(config) || config["version"] !== 2) throw new Error("it is not the configuration of a model");
  const { model, sequence, categories, training } = config;
  if (!isRecord(model) || !isRecord(sequence) || !Array.isArray(categories)) {
    throw new Error("settings of the model are missing");
  }
  const start = sequence["start"];
  if (start !== "first" && start !== "centre") throw new Error("it does not say where drawings start");
  return {
    encoder: String(model["encoder"]),
    zSize: numberIn(model, "z_size"),
    raster: rasterIn(model),
    sequence: { start, scale: numberIn(sequence, "scale") },
    categories: categories.map(String),
    attends: numberIn(model, "attend") > 0,
    training: isRecord(training) ? training : {},
  };
}

/** What a classifier's metadata say. Throws where they are something else. */
export function readClassifierInfo(text: string): ClassifierInfo {
  const about: unknown = JSON.parse(text);
  if (!isRecord(about) || !Array.isArray(about["categories"])) throw new Error("it names no categories");
  return { categories: about["categories"].map(String), raster: rasterIn(about) };
}

function rasterIn(record: Record<string, unknown>): RasterSpec {
  const raster = record["raster"];
  const spec = isRecord(raster) ? raster : {};
  return { size: numberIn(spec, "size"), line: numberIn(spec, "line"), margin: numberIn(spec, "margin") };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberIn(record: Record<string, unknown>, name: string): number {
  const value = record[name];
  if (typeof value !== "number") throw new Error(`its setting ${name} is missing`);
  return value;
}
