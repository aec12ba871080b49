/** What tests of the model need in Node: the golden cases, and the bundled model on onnxruntime-web. */

import { readFileSync } from "node:fs";
import { unzlibSync } from "fflate";
import * as ort from "onnxruntime-web";
import { readConfig } from "../src/core/runtime";
import { OnnxRuntime } from "../src/engine/onnx";

const FOLDER = new URL("../../src/sketch_pix2seq/pretrained/", import.meta.url);

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf-8")) as T;
}

export function bundled(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(file, FOLDER)));
}

export function bundledRuntime(threads = 1): Promise<OnnxRuntime> {
  ort.env.wasm.numThreads = threads;
  const info = readConfig(new TextDecoder().decode(bundled("config.json")));
  const graphs = { encoder: bundled("encoder.onnx"), start: bundled("start.onnx"), decoder: bundled("decoder.onnx") };
  return OnnxRuntime.create(ort, graphs, bundled("model.safetensors"), info, "wasm");
}

export function inkOf(packed: string): Uint8Array {
  return unzlibSync(Uint8Array.from(atob(packed), (character) => character.charCodeAt(0)));
}
