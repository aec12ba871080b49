import gpuModule from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import gpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import cpuModule from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import cpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { Atlas } from "../core/atlas";
import { Model } from "../core/model";
import { type ModelInfo, readConfig, ROW, startRows } from "../core/runtime";
import { EngineError } from "./api";
import { Downloads, unzipped } from "./download";
import { GRAPH_FILES, GraphError, type Graphs, OnnxRuntime, type Ort, WEIGHT_FILES, type Weights } from "./onnx";

/** More threads than this do not make a decoder of this size faster. */
const MOST_THREADS = 4;
/** Threads wait for each other at every row: where they compete for cores, one alone is several times faster. */
const CORES_A_THREAD = 2;

type Device = "wasm" | "webgpu";

export interface Loaded {
  readonly model: Model;
  readonly device: Device;
  readonly threads: number;
  readonly notice: string;
}

const ATLAS_FILE = "atlas.safetensors";
/** config.json, the runtime, weights, two graphs; and what only a model that sees has: encoder, flow and its weights,
 * classifier, map. */
const FILES = { always: 5, seeing: 5 };

/** Loads the runtime and a model folder. Throws an `EngineError` that names the file that is wrong. */
export async function loadModel(
  base: string,
  device: Device,
  onProgress: (loaded: number, total: number) => void,
): Promise<Loaded> {
  const folder = base.endsWith("/") ? base : `${base}/`;
  const downloads = new Downloads(onProgress, FILES.always + FILES.seeing);
  const optional = async (file: string): Promise<Uint8Array<ArrayBuffer> | null> => {
    try {
      return await downloads.read(new URL(file, folder).href);
    } catch (error) {
      throw new EngineError(`${file} cannot be loaded (${reason(error)}); check that the server is running.`);
    }
  };
  const required = async (file: string): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = await optional(file);
    if (bytes === null) throw new EngineError(`${file} is missing from the model's folder; copy the whole folder.`);
    return bytes;
  };
  const config = await required("config.json");
  const info = parsed("config.json", config, (bytes) => readConfig(new TextDecoder().decode(bytes)));
  const gpu = device === "webgpu" && (await hasGpu());
  const sees = info.encoder !== "none";
  if (!sees) downloads.expectFewer(FILES.seeing);
  const [binary, weights, encoder, start, decoder, flow, flowWeights, classifier, map] = await Promise.all([
    runtimeBinary(downloads, gpu),
    optional(WEIGHT_FILES.model),
    sees ? required(GRAPH_FILES.encoder) : null,
    required(GRAPH_FILES.start),
    required(GRAPH_FILES.decoder),
    sees ? optional(GRAPH_FILES.flow) : null,
    sees ? optional(WEIGHT_FILES.flow) : null,
    sees ? optional(GRAPH_FILES.classifier) : null,
    sees ? optional(ATLAS_FILE) : null,
  ]);
  const files: ModelFiles = {
    graphs: { encoder, start, decoder, flow, classifier },
    weights: { model: weights, flow: flowWeights },
    info,
  };
  const atlas = map && parsed(ATLAS_FILE, map, (bytes) => Atlas.read(bytes));
  if (atlas !== null && atlas.zSize !== info.zSize) throw strange(ATLAS_FILE);
  const loaded = (runtime: OnnxRuntime, own: Omit<Loaded, "model">): Loaded => ({
    model: new Model(runtime, atlas),
    ...own,
  });
  if (!gpu) {
    const notice = device === "webgpu" ? "This browser offers no WebGPU here, so the model runs on the processor." : "";
    const { ort, threads } = await startOrt(binary, false);
    return loaded(await runtimeOf(ort, files, "wasm"), { device: "wasm", threads, notice });
  }
  try {
    const { ort, threads } = await startOrt(binary, true);
    return loaded(await runtimeOf(ort, files, "webgpu"), { device: "webgpu", threads, notice: "" });
  } catch {
    const { ort, threads } = await startOrt(await runtimeBinary(downloads, false), false);
    const notice = "WebGPU cannot run this model here, so it runs on the processor.";
    return loaded(await runtimeOf(ort, files, "wasm"), { device: "wasm", threads, notice });
  }
}

async function hasGpu(): Promise<boolean> {
  try {
    return "gpu" in navigator && (await navigator.gpu.requestAdapter()) !== null;
  } catch {
    return false;
  }
}

async function runtimeBinary(downloads: Downloads, gpu: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const url = gpu ? gpuBinary : cpuBinary;
  const file = import.meta.env.PROD ? `${url}.gz` : url;
  try {
    const bytes = await downloads.read(new URL(file, import.meta.url).href);
    if (bytes === null) throw new Error("it is missing");
    // A server may say that the file is compressed, which the browser then undoes by itself.
    return bytes[0] === 0x1f ? await unzipped(bytes) : bytes;
  } catch (error) {
    const name = file.split("/").at(-1)!;
    throw new EngineError(`${name}, with which models run, cannot be loaded (${reason(error)}); reload the page.`);
  }
}

async function startOrt(binary: Uint8Array, gpu: boolean): Promise<{ ort: Ort; threads: number }> {
  const ort: Ort = gpu ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
  const spare = Math.floor((navigator.hardwareConcurrency || 1) / CORES_A_THREAD);
  const threads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, Math.max(1, spare)) : 1;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.wasmPaths = { mjs: new URL(gpu ? gpuModule : cpuModule, import.meta.url).href };
  return { ort, threads };
}

interface ModelFiles {
  readonly graphs: Graphs;
  readonly weights: Weights;
  readonly info: ModelInfo;
}

async function runtimeOf(ort: Ort, { graphs, weights, info }: ModelFiles, provider: Device): Promise<OnnxRuntime> {
  let runtime: OnnxRuntime;
  try {
    runtime = await OnnxRuntime.create(ort, graphs, weights, info, provider);
  } catch (error) {
    if (error instanceof GraphError) throw new EngineError(`${error.file} is damaged; copy the model's folder again.`);
    throw error;
  }
  try {
    // A first row finds out whether the files fit each other, and later ones are faster.
    const { size } = info.raster;
    const codes =
      info.encoder === "none" || info.encoder === "rnn"
        ? new Float32Array(info.zSize)
        : await runtime.encodeInk(new Float32Array(size * size), 1);
    const numbers = { chance: new Float32Array(4), control: new Float32Array(4), given: new Float32Array(ROW) };
    await runtime.drawRow({ rows: startRows(info, 1), ...numbers }, await runtime.start(codes, 1, {}));
  } catch {
    throw new EngineError("The model's graphs do not fit its config.json; export the model again.");
  }
  return runtime;
}

function parsed<T>(file: string, bytes: Uint8Array, read: (bytes: Uint8Array) => T): T {
  try {
    return read(bytes);
  } catch (error) {
    throw new EngineError(`${file} cannot be read (${reason(error)}); copy the model's folder again.`);
  }
}

function strange(file: string): EngineError {
  return new EngineError(`${file} belongs to another model; copy the model's folder again.`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
