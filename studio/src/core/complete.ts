/**
 * Completion: a started drawing is continued by the decoder. `drawing/complete.py` tells the idea.
 *
 * The flow, given the code of the started strokes, proposes codes of whole drawings that begin so, and where the strokes
 * lie in them. Each proposal is weighed by the likelihood of the strokes, and those with most weight are continued.
 */

import { COMPLETE } from "./constants";
import { LEVEL, sampleCodes } from "./flow";
import { boundsOf, CANVAS_SIZE, pointCount, simplified } from "./geometry";
import { type DrawRequest, joined, type Model, offsetRows, SIMPLIFIED_BY } from "./model";
import { drawingSeeds } from "./random";
import { NO_TURN, Pen, ROW, selectRows, selectState, type Turn } from "./runtime";
import { draw, prefill } from "./sampler";
import type { Drawing, Point, Stroke } from "./types";

/** Makes the spread of the numbers that say where strokes lie in a whole about 1. */
const FRAME_SCALE = [1.5, 4, 4] as const;
const MOST_LOG_RATIO = 4;

export interface CompletionRequest extends DrawRequest {
  /** What it shall become; null = whatever the strokes so far suggest. */
  readonly category: string | null;
}

export interface Completion {
  /** Begins with the started strokes as they are. */
  readonly drawing: Drawing;
  /** How many of its strokes are the started ones. */
  readonly started: number;
  /** How probable it is that nothing is missing in what is there: to the flow, or to a decoder without an encoder. */
  readonly finished: number;
}

/** A square that a whole drawing may fill. */
interface Whole {
  readonly side: number;
  readonly centre: Point;
}

/** Whole drawings that the started strokes may be the beginning of. */
interface Proposals {
  readonly codes: readonly Float32Array[];
  readonly wholes: readonly Whole[];
  readonly level: number;
  readonly category: number;
  /** How probable it is that nothing is missing; null where the decoder is asked. */
  readonly finished: number | null;
}

/** Continue a started drawing in `samples` ways, the likeliest first, in the started drawing's own coordinates. */
export async function complete(
  model: Model,
  drawing: Drawing,
  { samples, seed, settings, category }: CompletionRequest,
  turn: Turn = NO_TURN,
): Promise<Completion[]> {
  const strokes = drawing.strokes.filter((stroke) => stroke.length > 0);
  if (strokes.length === 0) throw new Error("There is nothing to go on with: draw a first stroke.");
  const { runtime } = model;
  const index = category === null ? model.unknown : model.indexOf(category);
  const own = boundsAbout(strokes);
  const simple = simpleStrokes(strokes, own.side, settings.maxPoints);
  const proposals = model.hasEncoder
    ? await fromFlow(model, { strokes }, own, index, { samples, seed, settings }, turn)
    : framed(model, own);

  const n = proposals.wholes.length;
  const rows = startedRows(model, simple, proposals.wholes);
  const k = rows.length / (n * ROW);
  const begun = await runtime.start(joined(proposals.codes), n, {
    level: new Float32Array(n).fill(proposals.level),
    category: new Int32Array(n).fill(proposals.category),
  });
  const { densities, before } = await prefill(runtime, begun, withEnd(rows, n, k), n, turn);
  const { order, ends } = weighed(densities, proposals.wholes, k);
  const finished = proposals.finished ?? ends;

  const kept = Array.from({ length: samples }, (_, sample) => order[sample % n]!);
  const given = selectRows(rows, k * ROW, kept);
  const streams = drawingSeeds(BigInt(seed) ^ 0x5eedn, samples);
  const going = { n: samples, state: selectState(before, kept), given };
  const drawn = await draw(runtime, going, streams, settings, { turn });
  return drawn.map((one, sample) => {
    const whole = proposals.wholes[kept[sample]!]!;
    const name = category === null ? {} : { category };
    return { drawing: { ...joinedOn(strokes, one, whole, k, model), ...name }, started: strokes.length, finished };
  });
}

async function fromFlow(
  model: Model,
  started: Drawing,
  own: Whole,
  category: number,
  { samples, seed, settings }: DrawRequest,
  turn: Turn,
): Promise<Proposals> {
  const { runtime } = model;
  if (!runtime.hasFlow) throw new Error("This model has no flow over codes, which going on with a drawing needs.");
  const n = Math.max(COMPLETE.proposals, 2 * samples);
  const [partial] = await model.encode([started], turn);
  const given = { category: new Int32Array(n).fill(category), partial: partial! };
  const { codes, frames } = await sampleCodes(runtime, given, drawingSeeds(seed, n), settings.guidance, { turn });
  const [finished] = await runtime.finished(Int32Array.of(category), partial!);
  const wholes = frames.map((frame) => wholeOf(own, frame));
  return { codes, wholes, level: LEVEL, category, finished: finished! };
}

/** For a decoder without a code: several frames. */
function framed(model: Model, own: Whole): Proposals {
  const [first, ...others] = COMPLETE.ratios;
  const places = COMPLETE.places.flatMap((x) => COMPLETE.places.map((y) => [x, y] as const));
  const wholes = [
    { side: first! * own.side, centre: own.centre },
    ...others.flatMap((ratio) =>
      places.map(([x, y]): Whole => {
        const room = ((ratio - 1) * own.side) / 2;
        return { side: ratio * own.side, centre: [own.centre[0] + x * room, own.centre[1] + y * room] };
      }),
    ),
  ];
  const { zSize } = model.runtime.info;
  return { codes: wholes.map(() => new Float32Array(zSize)), wholes, level: 0, category: model.unknown, finished: null };
}

/** The whole in which strokes lie as a frame says: `whole_of` of `sequence.py`. */
function wholeOf(part: Whole, frame: Float32Array): Whole {
  const [ratio, x, y] = FRAME_SCALE.map((scale, index) => frame[index]! / scale);
  const side = part.side * 2 ** Math.min(MOST_LOG_RATIO, Math.max(0, ratio!));
  return { side, centre: [part.centre[0] - x! * side, part.centre[1] - y! * side] };
}

function boundsAbout(strokes: readonly Stroke[]): Whole {
  const { left, top, right, bottom } = boundsOf(strokes)!;
  return { side: Math.max(right - left, bottom - top, 1e-3), centre: [(left + right) / 2, (top + bottom) / 2] };
}

/** The strokes with as few points as the drawings that the model was trained on, and room for more. */
function simpleStrokes(strokes: readonly Stroke[], side: number, maxPoints: number): readonly Stroke[] {
  let epsilon = (SIMPLIFIED_BY * side) / CANVAS_SIZE;
  let simple = simplified(strokes, epsilon);
  while (pointCount(simple) > maxPoints / 2 && simple.some((stroke) => stroke.length > 2)) {
    epsilon *= 1.5;
    simple = simplified(strokes, epsilon);
  }
  if (pointCount(simple) >= maxPoints) {
    throw new Error(`The drawing has ${simple.length} strokes already, which leaves no room for more.`);
  }
  return simple;
}

/** The started strokes as stroke-5 rows in model units, in the frame of each whole. */
function startedRows(model: Model, strokes: readonly Stroke[], wholes: readonly Whole[]): Float32Array {
  const { start, scale } = model.runtime.info.sequence;
  const first = start === "first";
  const [x, y] = strokes[0]![0]!;
  const table = offsetRows(strokes, first, x, y);
  const rows = new Float32Array(wholes.length * table.length * ROW);
  wholes.forEach(({ side, centre }, index) => {
    const unit = CANVAS_SIZE / side / scale;
    table.forEach(([dx, dy, lift], row) => {
      const at = (index * table.length + row) * ROW;
      // A drawing that starts in the centre of its frame begins with the way from there.
      const fromCentre = !first && row === 0;
      rows[at] = (fromCentre ? x - centre[0] : dx) * unit;
      rows[at + 1] = (fromCentre ? y - centre[1] : dy) * unit;
      rows[at + 2 + (lift === 1 ? Pen.up : Pen.down)] = 1;
    });
  });
  return rows;
}

/** The rows with an end behind. */
function withEnd(rows: Float32Array, n: number, k: number): Float32Array {
  const all = new Float32Array(n * (k + 1) * ROW);
  for (let i = 0; i < n; i++) {
    all.set(rows.subarray(i * k * ROW, (i + 1) * k * ROW), i * (k + 1) * ROW);
    all[(i * (k + 1) + k) * ROW + 2 + Pen.end] = 1;
  }
  return all;
}

/** The proposals in the order of their weight, and how probable it is to the decoder that the drawing ends there. */
function weighed(
  densities: Float32Array,
  wholes: readonly Whole[],
  k: number,
): { order: number[]; ends: number } {
  const each = 2 * (k + 1);
  const fits = wholes.map(({ side }, index) => {
    const own = densities.subarray(index * each, index * each + 2 * k);
    return own.reduce((sum, value) => sum + value, 0) - 2 * k * Math.log(side);
  });
  const highest = Math.max(...fits);
  // The likelihood of the strokes is far too sure of itself, so it is tempered by their number.
  const weights = fits.map((fit) => (fit - highest) / Math.sqrt(Math.max(1, k)));
  const order = Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]! || a - b);
  const total = weights.reduce((sum, weight) => sum + Math.exp(weight), 0);
  const ends = weights.reduce((sum, weight, index) => {
    return sum + (Math.exp(weight) / total) * Math.exp(densities[index * each + 2 * k + 1]!);
  }, 0);
  return { order, ends };
}

/** The started strokes as they are, and what was drawn after them, in their coordinates. */
function joinedOn(started: readonly Stroke[], drawn: Drawing, whole: Whole, given: number, model: Model): Drawing {
  const fromCentre = model.runtime.info.sequence.start === "centre";
  const origin = fromCentre ? CANVAS_SIZE / 2 : 0;
  const [x, y] = fromCentre ? whole.centre : started[0]![0]!;
  const scale = whole.side / CANVAS_SIZE;
  const strokes: Stroke[] = [...started];
  let left = fromCentre ? given : given + 1;
  for (const stroke of drawn.strokes) {
    const added = stroke.slice(left).map(([u, v]): Point => [(u - origin) * scale + x, (v - origin) * scale + y]);
    left = Math.max(0, left - stroke.length);
    if (added.length > 0) strokes.push(added);
  }
  return drawn.ended === undefined ? { strokes } : { strokes, ended: drawn.ended };
}
