/** What tests of the model need in Node: the golden cases, and the bundled model on onnxruntime-web. */

import { existsSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { unzlibSync } from "fflate";
import * as ort from "onnxruntime-web";
import { readConfig } from "../src/core/runtime";
import { GRAPH_FILES, type Graphs, OnnxRuntime, WEIGHT_FILES } from "../src/engine/onnx";

/** The bundled model, or the folder that MODEL names. */
const FOLDER = process.env["MODEL"]
  ? pathToFileURL(`${process.env["MODEL"]}/`)
  : new URL("../../src/sketch_pix2seq/pretrained/", import.meta.url);

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf-8")) as T;
}

export function bundled(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(file, FOLDER)));
}

export function bundledRuntime(threads = 1): Promise<OnnxRuntime> {
  ort.env.wasm.numThreads = threads;
  const info = readConfig(new TextDecoder().decode(bundled("config.json")));
  const optional = (file: string): Uint8Array | null => (existsSync(new URL(file, FOLDER)) ? bundled(file) : null);
  const graphs = Object.fromEntries(Object.entries(GRAPH_FILES).map(([name, file]) => [name, optional(file)]));
  const weights = { model: optional(WEIGHT_FILES.model), flow: optional(WEIGHT_FILES.flow) };
  return OnnxRuntime.create(ort, graphs as unknown as Graphs, weights, info, "wasm");
}

export function inkOf(packed: string): Uint8Array {
  return unzlibSync(Uint8Array.from(atob(packed), (character) => character.charCodeAt(0)));
}
