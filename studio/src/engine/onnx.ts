import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { Mixture, ModelInfo, Runtime, State, Values } from "../core/runtime";

/** What is used of onnxruntime-web, of which there are several builds. */
export type Ort = Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor" | "env">;

/** Bytes of a model folder's graphs; a decoder-only model has no encoder. */
export interface Graphs {
  readonly encoder: Uint8Array | null;
  readonly start: Uint8Array;
  readonly decoder: Uint8Array;
}

/** The weights that the graphs name by their places; a folder whose graphs hold their own may have none. */
export const WEIGHTS_FILE = "model.safetensors";

export const GRAPH_FILES: Readonly<Record<keyof Graphs, string>> = {
  encoder: "encoder.onnx",
  start: "start.onnx",
  decoder: "decoder.onnx",
};

type Provider = "wasm" | "webgpu";
type Feeds = Record<string, Tensor>;

/** A model folder's graphs on onnxruntime-web. */
export class OnnxRuntime implements Runtime {
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly info: ModelInfo,
    private readonly ort: Ort,
    private readonly sessions: { encoder: InferenceSession | null; start: InferenceSession; decoder: InferenceSession },
  ) {}

  /** Throws an error that names the file of a graph that cannot be loaded. */
  static async create(
    ort: Ort,
    graphs: Graphs,
    weights: Uint8Array | null,
    info: ModelInfo,
    provider: Provider,
  ): Promise<OnnxRuntime> {
    const externalData = weights === null ? [] : [{ path: WEIGHTS_FILE, data: weights }];
    const load = async (name: keyof Graphs, bytes: Uint8Array): Promise<InferenceSession> => {
      try {
        return await ort.InferenceSession.create(bytes, {
          executionProviders: [provider],
          externalData,
          logSeverityLevel: 3,
        });
      } catch (error) {
        throw new GraphError(GRAPH_FILES[name], { cause: error });
      }
    };
    const start = await load("start", graphs.start);
    const decoder = await load("decoder", graphs.decoder);
    const encoder = graphs.encoder === null ? null : await load("encoder", graphs.encoder);
    return new OnnxRuntime(info, ort, { encoder, start, decoder });
  }

  encodeInk(ink: Float32Array, n: number): Promise<Float32Array> {
    const { size } = this.info.raster;
    return this.encoded({ ink: this.tensor(ink, [n, size, size]) });
  }

  encodeRows(rows: Float32Array, lengths: Int32Array): Promise<Float32Array> {
    const n = lengths.length;
    return this.encoded({
      rows: this.tensor(rows, [n, rows.length / n / 5, 5]),
      lengths: new this.ort.Tensor("int32", lengths, [n]),
    });
  }

  async start(codes: Float32Array, n: number, pictures?: Float32Array): Promise<State> {
    const { start } = this.sessions;
    const { size } = this.info.raster;
    const feeds: Feeds = { code: this.tensor(codes, [n, this.info.zSize]) };
    if (start.inputNames.includes("picture")) {
      feeds["picture"] = this.tensor(pictures ?? new Float32Array(n * size * size), [n, size, size]);
    }
    const values = await this.run(start, feeds);
    const named = (prefix: string): Values[] =>
      start.outputNames.filter((name) => name.startsWith(prefix)).map((name) => numbersOf(values, name));
    return { fixed: named("fixed_"), moving: named("state_") };
  }

  async step(rows: Float32Array, state: State): Promise<readonly [Mixture, State]> {
    const feeds: Feeds = { row: this.tensor(rows, [rows.length / 5, 5]) };
    state.fixed.forEach((values, index) => (feeds[`fixed_${index}`] = this.given(values)));
    state.moving.forEach((values, index) => (feeds[`state_${index}`] = this.given(values)));
    const found = await this.run(this.sessions.decoder, feeds);
    const numbers = (name: string): Float32Array => numbersOf(found, name).data;
    const logPi = numbersOf(found, "log_pi");
    const mixture: Mixture = {
      components: logPi.dims[1]!,
      logPi: logPi.data,
      muX: numbers("mu_x"),
      muY: numbers("mu_y"),
      logSigmaX: numbers("log_sigma_x"),
      logSigmaY: numbers("log_sigma_y"),
      rho: numbers("rho"),
      logPen: numbers("log_pen"),
    };
    const moving = state.moving.map((_, index) => numbersOf(found, `state_${index}_after`));
    return [mixture, { fixed: state.fixed, moving }];
  }

  async release(): Promise<void> {
    const { encoder, start, decoder } = this.sessions;
    await Promise.all([encoder?.release(), start.release(), decoder.release()]);
  }

  private async encoded(feeds: Feeds): Promise<Float32Array> {
    const { encoder } = this.sessions;
    if (encoder === null) throw new Error("This model has no encoder, so it cannot see drawings.");
    return numbersOf(await this.run(encoder, feeds), "code").data;
  }

  private tensor(data: Float32Array, dims: readonly number[]): Tensor {
    return new this.ort.Tensor("float32", data, dims);
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

function numbersOf(values: InferenceSession.ReturnType, name: string): Values & Tensor {
  const tensor = values[name];
  if (tensor === undefined || !(tensor.data instanceof Float32Array)) {
    throw new Error(`The model's graphs do not fit each other: ${name} is missing. Export the model anew.`);
  }
  return tensor as Values & Tensor;
}
