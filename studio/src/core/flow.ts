/** Codes from the flow: from noise, from a noised code, or given the strokes that are there. `drawing/flow.py`. */

import { FLOW } from "./constants";
import { mixed, Streams } from "./random";
import { FRAME, NO_TURN, type Runtime, type Turn } from "./runtime";
import { BETWEEN } from "./types";

/** Noise level that the decoder is told of codes that come from the flow: they are almost right. */
export const LEVEL = FLOW.level;

/** Noise level on the way between two codes, most in the middle: `interpolation` of `drawing/create.py`. */
export function levelBetween(share: number): number {
  return BETWEEN * Math.sin(Math.PI * Math.min(1, Math.max(0, share)));
}

/** Where the random numbers of the noise begin in a drawing's own. */
const NOISE = 1n << 40n;

/** What n codes are drawn given. */
export interface Given {
  /** The number of categories stands for "any". */
  readonly category: Int32Array;
  /** Code of the strokes that are there; null where there are none. */
  readonly partial: Float32Array | null;
}

/** Codes that are noised, and how much each is: from 0, not at all, to 1, noise alone. */
export interface Noised {
  readonly codes: readonly Float32Array[];
  readonly levels: readonly number[];
}

export interface Sampled {
  readonly codes: readonly Float32Array[];
  /** Where the started strokes lie in the whole, `FRAME` numbers each; of no meaning where there are none. */
  readonly frames: readonly Float32Array[];
}

/** Standard normal numbers, `count` for each stream, hashes of it (Box & Muller 1958). */
export function normal(streams: BigUint64Array, count: number): Float32Array {
  const pairs = (count + 1) >> 1;
  const values = new Float32Array(streams.length * count);
  const chances = new Streams(1);
  streams.forEach((stream, index) => {
    chances.set(0, mixed(stream + NOISE));
    for (let pair = 0; pair < pairs; pair++) {
      const radius = Math.sqrt(-2 * Math.log1p(-chances.uniform(0, pair)));
      const angle = 2 * Math.PI * chances.uniform(0, pairs + pair);
      values[index * count + pair] = radius * Math.cos(angle);
      if (pairs + pair < count) values[index * count + pairs + pair] = radius * Math.sin(angle);
    }
  });
  return values;
}

/**
 * A code and a frame for each stream, integrated by Heun's method. With codes: begin with these, each noised to its level
 * in 0..1; without, with noise. guidance: how far towards what the category alone brings; 1 = not beyond it.
 */
export async function sampleCodes(
  runtime: Runtime,
  given: Given,
  streams: BigUint64Array,
  guidance: number,
  { noised, turn = NO_TURN }: { noised?: Noised | undefined; turn?: Turn | undefined } = {},
): Promise<Sampled> {
  const z = runtime.info.zSize;
  const width = z + FRAME;
  const n = streams.length;
  let x = normal(streams, width);
  const levels = Float32Array.from({ length: n }, (_, index) => noised?.levels[index] ?? 1);
  const levelAt = (at: number): number => levels[Math.floor(at / width)]!;
  if (noised !== undefined) {
    x.forEach((value, at) => {
      const [code, d, level] = [noised.codes[Math.floor(at / width)]!, at % width, levelAt(at)];
      x[at] = level * value + (d < z ? (1 - level) * code[d]! : 0);
    });
  }
  const velocity = guided(runtime, given, n, guidance);
  const steps = Math.max(FLOW.fewest_steps, roundHalfEven(FLOW.steps * Math.max(...levels)));
  for (let step = 0; step < steps; step++) {
    const now = levels.map((level) => level * (1 - step / steps));
    const after = levels.map((level) => level * (1 - (step + 1) / steps));
    await turn();
    const slope = await velocity(x, now);
    const end = x.map((value, at) => value - (levelAt(at) / steps) * slope[at]!);
    if (step + 1 === steps) {
      x = end;
      break;
    }
    await turn();
    const next = await velocity(end, after);
    x = x.map((value, at) => value - (levelAt(at) / steps / 2) * (slope[at]! + next[at]!));
  }
  const part = (index: number, from: number, to: number): Float32Array => {
    return x.slice(index * width + from, index * width + to);
  };
  return {
    codes: Array.from({ length: n }, (_, index) => part(index, 0, z)),
    frames: Array.from({ length: n }, (_, index) => part(index, z, width)),
  };
}

/** Velocities with classifier-free guidance (Ho & Salimans 2022) on the category. */
function guided(
  runtime: Runtime,
  { category, partial }: Given,
  n: number,
  guidance: number,
): (x: Float32Array, t: Float32Array) => Promise<Float32Array> {
  const { zSize, categories } = runtime.info;
  const both = guidance === 1 ? n : 2 * n;
  const partials = new Float32Array(both * zSize);
  if (partial !== null) for (let index = 0; index < both; index++) partials.set(partial, index * zSize);
  const told = new Int32Array(both).fill(categories.length);
  told.set(category);
  const started = new Float32Array(both).fill(partial === null ? 0 : 1);
  return async (x, t) => {
    const repeated = (values: Float32Array): Float32Array => {
      return Float32Array.from({ length: (both / n) * values.length }, (_, at) => values[at % values.length]!);
    };
    const found = await runtime.velocity({
      x: repeated(x),
      t: repeated(t),
      category: told,
      partial: partials,
      started,
    });
    if (guidance === 1) return found;
    return x.map((_, at) => (1 - guidance) * found[x.length + at]! + guidance * found[at]!);
  };
}

/** As Python rounds. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
