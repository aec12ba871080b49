/**
 * The sampler: drawing states in, drawings out. `drawing/sampler.py`.
 *
 * Where a picture is followed, each stroke is one of several proposals, weighed by the ink that it wastes; one is
 * resampled by weight, and where all are poor, further rounds propose more. Without a picture there is one proposal.
 */

import { SAMPLER } from "./constants";
import { CANVAS_SIZE } from "./geometry";
import { mixed, STRIDE, Streams, uniform } from "./random";
import { inkOfPoints, missingInk } from "./raster";
import { NO_TURN, Pen, ROW, type Runtime, selectRows, selectValues, type SequenceSpec, startRows } from "./runtime";
import { type State, type Turn, type Values, widthOf } from "./runtime";
import type { Drawing, DrawSettings, Point, Stroke } from "./types";

/** Uniform numbers a row, and numbers that control it. */
const CHANCES = 4;
/** The largest chance: a larger one is 1 in float32, and 1 is no chance. */
const MOST_CHANCE = 1 - 2 ** -24;
const CONTROLS = 4;
/** Numbers of a point: the offset, and whether the pen lifts. */
const POINT = 3;

export type SampleSettings = Pick<DrawSettings, "temperature" | "penTemperature" | "maxPoints" | "proposals">;

/** n drawings that are to be drawn, or gone on with. */
export interface Begun {
  readonly n: number;
  /** Before the first row; of given rows, before the last one is handed over. */
  readonly state: State;
  /** stroke-5 rows `n * k * 5` that are there already. */
  readonly given?: Float32Array;
  /** Ink of each in 0..1 that strokes are weighed by. */
  readonly pictures?: readonly Float32Array[];
}

export interface Watching {
  /** Between rows. */
  readonly turn?: Turn;
  /** When there is more of a drawing: a row, or where a picture is followed a stroke. */
  readonly onRow?: (index: number, soFar: () => Drawing) => void;
  /** As soon as a drawing is finished. */
  readonly onEnd?: (index: number, drawing: Drawing) => void;
}

export interface Handed {
  /** Log densities of the offset and of the pen state at each row, `n * time * 2`. */
  readonly densities: Float32Array;
  /** The state before the last row is handed over, as the sampler needs it. */
  readonly state: State;
  /** The same for all rows but the last one. */
  readonly before: State;
}

/** Hand given rows `n * time * 5` to the decoder. */
export async function prefill(
  runtime: Runtime,
  begun: State,
  rows: Float32Array,
  n: number,
  turn: Turn = NO_TURN,
): Promise<Handed> {
  const time = rows.length / (n * ROW);
  const densities = new Float32Array(n * time * 2);
  const chance = new Float32Array(n * CHANCES);
  const control = new Float32Array(n * CONTROLS).fill(1);
  let previous = startRows(runtime.info, n);
  let [before, state] = [begun, begun];
  for (let index = 0; index < time; index++) {
    await turn();
    const given = selectRows(rows, ROW, Array.from({ length: n }, (_, i) => i * time + index));
    const found = await runtime.drawRow({ rows: previous, chance, control, given }, state);
    for (let i = 0; i < n; i++) {
      densities.set(found.logDensity.subarray(2 * i, 2 * i + 2), 2 * (i * time + index));
    }
    [before, state, previous] = [state, found.state, given];
  }
  return { densities, state, before };
}

/**
 * One drawing for each seed, in canvas units of the drawing's own frame. The same seed, weights and device give the same
 * strokes, whatever is drawn beside them.
 */
export async function draw(
  runtime: Runtime,
  begun: Begun,
  seeds: BigUint64Array,
  settings: SampleSettings,
  watching: Watching = {},
): Promise<Drawing[]> {
  const given = (begun.given?.length ?? 0) / (begun.n * ROW);
  if (given > settings.maxPoints) {
    throw new Error(`${given} points are given, and a drawing has ${settings.maxPoints} at most.`);
  }
  return new Search(runtime, begun, seeds.map(mixed), settings, watching).run();
}

/** Where drawings or proposals are: n of them. */
class Slots {
  readonly rows: Float32Array;
  readonly points: Float32Array;
  /** How many points each has. */
  readonly at: Int32Array;
  /** Whether the stroke is finished. */
  readonly done: Uint8Array;
  /** Whether the pen state was "end". */
  readonly ended: Uint8Array;

  constructor(
    n: number,
    readonly maxPoints: number,
    readonly moving: readonly Values[],
    rows: Float32Array,
  ) {
    this.rows = rows;
    this.points = new Float32Array(n * maxPoints * POINT);
    this.at = new Int32Array(n);
    this.done = new Uint8Array(n);
    this.ended = new Uint8Array(n);
  }

  /** The points of one. */
  pointsOf(slot: number): Float32Array {
    const from = slot * this.maxPoints * POINT;
    return this.points.subarray(from, from + this.at[slot]! * POINT);
  }

  /** Set one to another. */
  put(slot: number, others: Slots, source: number): void {
    this.moving.forEach((values, index) => copyRow(values, slot, others.moving[index]!, source));
    this.rows.set(others.rows.subarray(source * ROW, (source + 1) * ROW), slot * ROW);
    this.at[slot] = others.at[source]!;
    this.points.set(others.pointsOf(source), slot * this.maxPoints * POINT);
    this.done[slot] = others.done[source]!;
    this.ended[slot] = others.ended[source]!;
  }
}

function copyRow(values: Values, row: number, others: Values, source: number): void {
  const width = widthOf(values);
  values.data.set(others.data.subarray(source * width, (source + 1) * width), row * width);
}

/** n drawings, each with K proposals for its next stroke: slots d * K to d * K + K - 1. */
class Search {
  private readonly n: number;
  private readonly each: number;
  private readonly pictures: readonly Float32Array[] | null;
  private readonly slots: Slots;
  private readonly base: Slots;
  private readonly best: Slots;
  private readonly live: Uint8Array;
  private readonly stroke: Int32Array;
  private readonly round: Int32Array;
  private readonly weight: Float64Array;
  private readonly paper: Float32Array[] = [];
  private readonly missing: Float64Array;
  private readonly chances: Streams;
  private readonly finished: Drawing[] = [];
  /** What stays the same of the drawings whose proposals were drawn last. */
  private fixed: { readonly of: readonly number[]; readonly values: readonly Values[] } = { of: [], values: [] };

  constructor(
    private readonly runtime: Runtime,
    private readonly begun: Begun,
    private readonly streams: BigUint64Array,
    private readonly settings: SampleSettings,
    private readonly watching: Watching,
  ) {
    const { n, state, given, pictures } = begun;
    const { maxPoints } = settings;
    this.n = n;
    this.pictures = pictures ?? null;
    this.each = pictures === undefined ? 1 : settings.proposals;
    const k = (given?.length ?? 0) / (n * ROW);
    const drawings = Array.from({ length: n }, (_, index) => index);
    const slots = drawings.flatMap((drawing) => Array<number>(this.each).fill(drawing));
    const start = startRows(runtime.info, n);
    if (given !== undefined && k > 0) {
      for (const d of drawings) start.set(given.subarray((d * k + k - 1) * ROW, (d + 1) * k * ROW), d * ROW);
    }
    const select = (chosen: readonly number[]): Slots => {
      const moving = state.moving.map((values) => selectValues(values, chosen));
      const made = new Slots(chosen.length, maxPoints, moving, selectRows(start, ROW, chosen));
      made.at.fill(k);
      chosen.forEach((drawing, slot) => {
        for (let row = 0; row < k; row++) {
          const from = (drawing * k + row) * ROW;
          const point = [given![from]!, given![from + 1]!, given![from + 2 + Pen.up]!];
          made.points.set(point, (slot * maxPoints + row) * POINT);
        }
      });
      return made;
    };
    this.slots = select(slots);
    // Without a picture strokes are not weighed, so all slots are one.
    this.base = this.pictures === null ? this.slots : select(drawings);
    this.best = this.pictures === null ? this.slots : select(drawings);
    this.live = new Uint8Array(n).fill(1);
    this.stroke = new Int32Array(n);
    this.round = new Int32Array(n);
    this.weight = new Float64Array(n).fill(-Infinity);
    this.missing = new Float64Array(n);
    this.pictures?.forEach((picture, drawing) => {
      this.paper[drawing] = inkOfPoints(this.base.pointsOf(drawing), runtime.info);
      this.missing[drawing] = missingInk(picture, this.paper[drawing]!, runtime.info.raster);
    });
    this.chances = new Streams(slots.length);
    for (const drawing of drawings) this.setChances(drawing);
  }

  /** All drawings, in their order. */
  async run(): Promise<Drawing[]> {
    const { turn = NO_TURN, onRow } = this.watching;
    while (this.live.some((alive) => alive === 1)) {
      await turn();
      await this.drawRows();
      for (let drawing = 0; drawing < this.n; drawing++) {
        if (this.live[drawing] === 0) continue;
        const first = drawing * this.each;
        if (this.slots.done.subarray(first, first + this.each).some((done) => done === 0)) {
          if (this.pictures === null) onRow?.(drawing, () => this.drawingOf(this.slots, drawing));
        } else if (this.pictures === null) {
          this.goOn(drawing, this.slots, drawing);
        } else {
          this.weigh(drawing, this.pictures[drawing]!);
        }
      }
    }
    return this.finished;
  }

  /** The next row of every proposal whose stroke is not finished. */
  private async drawRows(): Promise<void> {
    const { slots, settings, each } = this;
    const going: number[] = [];
    slots.done.forEach((done, slot) => {
      if (done === 0 && this.live[Math.floor(slot / each)] === 1) going.push(slot);
    });
    const chance = new Float32Array(going.length * CHANCES);
    const control = new Float32Array(going.length * CONTROLS);
    going.forEach((slot, i) => {
      const drawing = Math.floor(slot / each);
      const at = slots.at[slot]!;
      for (let use = 0; use < CHANCES; use++) {
        chance[i * CHANCES + use] = Math.min(this.chances.uniform(slot, at * CHANCES + use), MOST_CHANCE);
      }
      const turns = this.round[drawing]!;
      const whole = this.pictures === null || turns === 0 || this.missing[drawing]! <= SAMPLER.useful;
      // Every drawing has a point.
      const mayEnd = at > 0 && whole ? 1 : 0;
      control.set([settings.temperature + SAMPLER.warmer * turns, settings.penTemperature, mayEnd, 0], i * CONTROLS);
    });
    const found = await this.runtime.drawRow(
      { rows: selectRows(slots.rows, ROW, going), chance, control, given: new Float32Array(going.length * ROW) },
      { fixed: this.fixedOf(going), moving: slots.moving.map((values) => selectValues(values, going)) },
    );
    going.forEach((slot, i) => {
      slots.moving.forEach((values, index) => copyRow(values, slot, found.state.moving[index]!, i));
      this.take(slot, found.rows.subarray(i * ROW, (i + 1) * ROW));
    });
  }

  private fixedOf(going: readonly number[]): readonly Values[] {
    const of = going.map((slot) => Math.floor(slot / this.each));
    const same = of.length === this.fixed.of.length && of.every((drawing, i) => drawing === this.fixed.of[i]);
    if (!same) this.fixed = { of, values: this.begun.state.fixed.map((values) => selectValues(values, of)) };
    return this.fixed.values;
  }

  /** Add a row to a proposal. */
  private take(slot: number, row: Float32Array): void {
    const { slots } = this;
    const pen = row[2] === 1 ? Pen.down : row[3] === 1 ? Pen.up : Pen.end;
    const at = slots.at[slot]!;
    if (pen === Pen.end) slots.ended[slot] = 1;
    if (pen === Pen.end || at === slots.maxPoints) {
      slots.done[slot] = 1;
      return;
    }
    slots.rows.set(row, slot * ROW);
    slots.points.set([row[0]!, row[1]!, pen === Pen.up ? 1 : 0], (slot * slots.maxPoints + at) * POINT);
    slots.at[slot] = at + 1;
    const isLong =
      this.pictures !== null && at + 1 - this.base.at[Math.floor(slot / this.each)]! >= SAMPLER.long;
    if (pen === Pen.up || isLong) slots.done[slot] = 1;
  }

  /** Where the random numbers of each proposal of a drawing begin. */
  private setChances(drawing: number): void {
    for (let proposal = 0; proposal < this.each; proposal++) {
      this.chances.set(drawing * this.each + proposal, this.streamOf(drawing, proposal));
    }
  }

  private streamOf(drawing: number, proposal: number): bigint {
    const code = (this.stroke[drawing]! * 64 + this.round[drawing]!) * 64 + proposal;
    return mixed(BigInt.asUintN(64, this.streams[drawing]! + BigInt(code) * STRIDE));
  }

  /** Resample one of the proposals of a drawing, and of the best of the rounds before; or go into another round. */
  private weigh(drawing: number, picture: Float32Array): void {
    const { each, slots, base, best } = this;
    const first = drawing * each;
    const stream = this.streamOf(drawing, 63);
    const inks = Array.from({ length: each }, (_, proposal) => this.after(drawing, slots, first + proposal));
    const weights = inks.map((ink, proposal) => this.logWeight(drawing, first + proposal, ink, picture));
    let [chosen, highest] = [0, -Infinity];
    weights.forEach((weight, proposal) => {
      const chance = Math.max(uniform(BigInt.asUintN(64, stream + BigInt(proposal))), 1e-12);
      const value = weight - Math.log(-Math.log(chance)); // Gumbel: by weight
      if (value > highest) [chosen, highest] = [proposal, value];
    });
    if (weights[chosen]! > this.weight[drawing]!) {
      best.put(drawing, slots, first + chosen);
      this.weight[drawing] = weights[chosen]!;
    }
    if (this.weight[drawing]! < -SAMPLER.beta && this.round[drawing]! + 1 < SAMPLER.rounds) {
      this.round[drawing] = this.round[drawing]! + 1;
      this.setChances(drawing);
      for (let slot = first; slot < first + each; slot++) slots.put(slot, base, drawing);
      return;
    }
    this.paper[drawing] = this.after(drawing, best, drawing);
    this.missing[drawing] = missingInk(picture, this.paper[drawing]!, this.runtime.info.raster);
    this.weight[drawing] = -Infinity;
    this.goOn(drawing, best, drawing);
  }

  /** The log weight of a proposal: minus what it wastes, or leaves out where it ends. */
  private logWeight(drawing: number, slot: number, ink: Float32Array, picture: Float32Array): number {
    if (this.slots.ended[slot] === 1) return -SAMPLER.beta * this.missing[drawing]!;
    const before = this.paper[drawing]!;
    let [gain, laid] = [0, 0];
    for (let pixel = 0; pixel < ink.length; pixel++) {
      const wanted = picture[pixel]!;
      gain += (before[pixel]! - wanted) ** 2 - (ink[pixel]! - wanted) ** 2;
      laid += (ink[pixel]! - before[pixel]!) ** 2;
    }
    const worth = SAMPLER.beta * (SAMPLER.expected * gain - SAMPLER.waste * (laid - gain));
    return worth - SAMPLER.stroke - (gain < SAMPLER.useful ? SAMPLER.useless : 0);
  }

  /** The paper of a drawing with the stroke of a slot on it. */
  private after(drawing: number, slots: Slots, slot: number): Float32Array {
    const paper = this.paper[drawing]!;
    const first = this.base.at[drawing]!;
    if (slots.at[slot] === first) return paper;
    const ink = inkOfPoints(slots.pointsOf(slot), this.runtime.info, first);
    return ink.map((value, pixel) => Math.max(value, paper[pixel]!));
  }

  /** Take the stroke in a slot: the drawing is finished, or its next stroke begins there. */
  private goOn(drawing: number, slots: Slots, slot: number): void {
    const { onRow, onEnd } = this.watching;
    const soFar = (): Drawing => this.drawingOf(slots, slot);
    if (slots.ended[slot] === 1 || slots.at[slot]! >= slots.maxPoints) {
      this.finished[drawing] = soFar();
      this.live[drawing] = 0;
      onEnd?.(drawing, this.finished[drawing]);
      return;
    }
    slots.done[slot] = 0;
    this.stroke[drawing] = this.stroke[drawing]! + 1;
    this.round[drawing] = 0;
    this.setChances(drawing);
    if (this.pictures !== null) {
      this.base.put(drawing, slots, slot);
      for (let proposal = 0; proposal < this.each; proposal++) {
        this.slots.put(drawing * this.each + proposal, slots, slot);
      }
    }
    onRow?.(drawing, soFar);
  }

  private drawingOf(slots: Slots, slot: number): Drawing {
    const strokes = strokesOf(slots.pointsOf(slot), this.runtime.info.sequence);
    return { strokes, ended: slots.ended[slot] === 1 };
  }
}

/** The strokes of points in model units, the canvas's middle being that of a drawing that starts there. */
function strokesOf(points: Float32Array, { start, scale }: SequenceSpec): Stroke[] {
  const middle = start === "centre" ? CANVAS_SIZE / 2 : 0;
  const strokes: Point[][] = [];
  let stroke: Point[] = [];
  let [x, y] = [0, 0];
  const single = Math.fround(scale);
  const startsWithDot = points[0] === 0 && points[1] === 0 && points[2] === 1;
  if (start === "first" && !startsWithDot) stroke.push([0, 0]);
  for (let at = 0; at < points.length; at += POINT) {
    x += Math.fround(points[at]! * single);
    y += Math.fround(points[at + 1]! * single);
    stroke.push([Math.fround(Math.fround(x) + middle), Math.fround(Math.fround(y) + middle)]);
    if (points[at + 2]! > 0.5) {
      strokes.push(stroke);
      stroke = [];
    }
  }
  if (stroke.length > 0) strokes.push(stroke);
  return strokes;
}
