import type { InferenceSession, Tensor } from "onnxruntime-web";
import { type ClassifierInfo, type FlowRequest, FRAME, type ModelInfo, readClassifierInfo } from "../core/runtime";
import { ROW, type RowRequest, type Rows, type Runtime, type State, type Told, type Values } from "../core/runtime";
import { metadataOf } from "./metadata";

/** What is used of onnxruntime-web, of which there are several builds. */
export type Ort = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

/** The graphs of a model folder by their files' names. */
export const GRAPH_FILES = {
  encoder: "encoder.onnx",
  start: "start.onnx",
  decoder: "decoder.onnx",
  flow: "flow.onnx",
  classifier: "classifier.onnx",
} as const;

/** The weights that the graphs name by their places. */
export const WEIGHT_FILES = { model: "model.safetensors", flow: "flow.safetensors" } as const;

/** Key of a classifier's metadata. */
const ABOUT_CLASSIFIER = "sketch_pix2seq.classifier";

type GraphName = keyof typeof GRAPH_FILES;
/** Bytes of a model folder's graphs and weights; null where the folder has none. */
export type Graphs = Readonly<Record<GraphName, Uint8Array | null>>;
export type Weights = Readonly<Record<keyof typeof WEIGHT_FILES, Uint8Array | null>>;

type Provider = "wasm" | "webgpu";
type Feeds = Record<string, Tensor>;

/** A model folder's graphs on onnxruntime-web. */
export class OnnxRuntime implements Runtime {
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly info: ModelInfo,
    readonly classifier: ClassifierInfo | null,
    private readonly ort: Ort,
    private readonly sessions: Readonly<Record<GraphName, InferenceSession | null>>,
  ) {}

  /** Throws an error that names the file of a graph that cannot be loaded. */
  static async create(
    ort: Ort,
    graphs: Graphs,
    weights: Weights,
    info: ModelInfo,
    provider: Provider,
  ): Promise<OnnxRuntime> {
    const stored = (name: keyof Weights): { path: string; data: Uint8Array }[] => {
      const data = weights[name];
      return data === null ? [] : [{ path: WEIGHT_FILES[name], data }];
    };
    const load = async (name: GraphName): Promise<InferenceSession | null> => {
      const bytes = graphs[name];
      if (bytes === null) return null;
      try {
        return await ort.InferenceSession.create(bytes, {
          executionProviders: [provider],
          externalData: name === "classifier" ? [] : stored(name === "flow" ? "flow" : "model"),
          logSeverityLevel: 3,
        });
      } catch (error) {
        throw new GraphError(GRAPH_FILES[name], { cause: error });
      }
    };
    // One after the other: the runtime is started by the first.
    const sessions = {
      start: await load("start"),
      decoder: await load("decoder"),
      encoder: await load("encoder"),
      flow: await load("flow"),
      classifier: await load("classifier"),
    };
    return new OnnxRuntime(info, classifierIn(graphs.classifier), ort, sessions);
  }

  get hasFlow(): boolean {
    return this.sessions.flow !== null;
  }

  encodeInk(ink: Float32Array, n: number): Promise<Float32Array> {
    return this.encoded({ ink: this.ink(ink, n, this.info.raster.size) });
  }

  encodeRows(rows: Float32Array, lengths: Int32Array): Promise<Float32Array> {
    const n = lengths.length;
    return this.encoded({
      rows: this.tensor(rows, [n, rows.length / n / ROW, ROW]),
      lengths: new this.ort.Tensor("int32", lengths, [n]),
    });
  }

  async start(codes: Float32Array, n: number, { level, category, pictures }: Told): Promise<State> {
    const start = this.session("start");
    const { zSize, categories, raster } = this.info;
    const feeds: Feeds = { code: this.tensor(codes, [n, zSize]) };
    const wanted = new Set(start.inputNames);
    if (wanted.has("level")) feeds["level"] = this.tensor(level ?? new Float32Array(n), [n]);
    if (wanted.has("category")) {
      feeds["category"] = this.indices(category ?? new Int32Array(n).fill(categories.length));
    }
    if (wanted.has("picture")) {
      const { size } = raster;
      feeds["picture"] = this.ink(pictures ?? new Float32Array(n * size * size), n, size);
    }
    const values = await this.run(start, feeds);
    const named = (prefix: string): Values[] =>
      start.outputNames.filter((name) => name.startsWith(prefix)).map((name) => numbersOf(values, name));
    return { fixed: named("fixed_"), moving: named("state_") };
  }

  async drawRow({ rows, chance, control, given }: RowRequest, state: State): Promise<Rows> {
    const n = rows.length / ROW;
    const feeds: Feeds = {
      row: this.tensor(rows, [n, ROW]),
      given: this.tensor(given, [n, ROW]),
      chance: this.tensor(chance, [n, chance.length / n]),
      control: this.tensor(control, [n, control.length / n]),
    };
    state.fixed.forEach((values, index) => (feeds[`fixed_${index}`] = this.given(values)));
    state.moving.forEach((values, index) => (feeds[`state_${index}`] = this.given(values)));
    const found = await this.run(this.session("decoder"), feeds);
    return {
      rows: numbersOf(found, "drawn").data,
      logDensity: numbersOf(found, "log_density").data,
      state: { fixed: state.fixed, moving: state.moving.map((_, index) => numbersOf(found, `state_${index}_after`)) },
    };
  }

  async velocity(request: FlowRequest): Promise<Float32Array> {
    return this.flow(request, "velocity");
  }

  async finished(category: Int32Array, partial: Float32Array): Promise<Float32Array> {
    const n = category.length;
    const none = new Float32Array(n);
    const x = new Float32Array(n * (this.info.zSize + FRAME));
    return this.flow({ x, t: none, category, partial, started: none }, "finished");
  }

  private async flow(request: FlowRequest, output: string): Promise<Float32Array> {
    const { x, t, category, partial, started } = request;
    const n = category.length;
    const feeds: Feeds = {
      x: this.tensor(x, [n, this.info.zSize + FRAME]),
      t: this.tensor(t, [n, 1]),
      category: this.indices(category),
      partial: this.tensor(partial, [n, this.info.zSize]),
      started: this.tensor(started, [n, 1]),
    };
    return numbersOf(await this.run(this.session("flow"), feeds), output).data;
  }

  async classify(ink: Float32Array, n: number): Promise<Float32Array> {
    const { size } = this.classifier?.raster ?? this.info.raster;
    return numbersOf(await this.run(this.session("classifier"), { ink: this.ink(ink, n, size) }), "logits").data;
  }

  async release(): Promise<void> {
    await Promise.all(Object.values(this.sessions).map((session) => session?.release()));
  }

  private async encoded(feeds: Feeds): Promise<Float32Array> {
    return numbersOf(await this.run(this.session("encoder"), feeds), "code").data;
  }

  private session(name: GraphName): InferenceSession {
    const session = this.sessions[name];
    if (session === null) throw new Error(`This model has no ${GRAPH_FILES[name]}, which this needs.`);
    return session;
  }

  private tensor(data: Float32Array, dims: readonly number[]): Tensor {
    return new this.ort.Tensor("float32", data, dims);
  }

  private ink(data: Float32Array, n: number, size: number): Tensor {
    return this.tensor(data, [n, size, size]);
  }

  private indices(values: Int32Array): Tensor {
    return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** The values as a tensor: as they are where the runtime itself made them. */
  private given(values: Values): Tensor {
    return values instanceof this.ort.Tensor ? values : this.tensor(values.data, values.dims);
  }

  /** One graph at a time: on WebGPU, a run is spread over several turns of the event loop. */
  private run(session: InferenceSession, feeds: Feeds): Promise<InferenceSession.ReturnType> {
    const result = this.last.then(() => session.run(feeds));
    this.last = result.catch(() => undefined);
    return result;
  }
}

/** A graph that onnxruntime-web does not load. */
export class GraphError extends Error {
  constructor(
    readonly file: string,
    options: ErrorOptions,
  ) {
    super(`${file} is not a graph that can be loaded.`, options);
  }
}

function classifierIn(graph: Uint8Array | null): ClassifierInfo | null {
  if (graph === null) return null;
  try {
    return readClassifierInfo(metadataOf(graph, ABOUT_CLASSIFIER) ?? "{}");
  } catch (error) {
    throw new GraphError(GRAPH_FILES.classifier, { cause: error });
  }
}

function numbersOf(values: InferenceSession.ReturnType, name: string): Values & Tensor {
  const tensor = values[name];
  if (tensor === undefined || !(tensor.data instanceof Float32Array)) {
    throw new Error(`The model's graphs do not fit each other: ${name} is missing. Export the model anew.`);
  }
  return tensor as Values & Tensor;
}
