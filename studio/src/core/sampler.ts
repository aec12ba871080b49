import { aim, type Sight } from "./aim";
import { CANVAS_SIZE } from "./geometry";
import { Streams } from "./random";
import { beginsOf, chooseBegin, inkOnPaper, isWorthIt, keepStroke, lacks, LONG, missingInk, movingOf } from "./retake";
import { rowAt, seeks, type Take, takeBack, warmth } from "./retake";
import { type Mixture, Pen, ROW, type Runtime, selectRows, selectState, type SequenceSpec, startRows } from "./runtime";
import type { State, Turn } from "./runtime";
import { settled } from "./settle";
import { withoutSpecks } from "./specks";
import type { Drawing, Point, Stroke } from "./types";

/** Random numbers a row: which Gaussian, which pen state, two for the offset. */
const USES = 4;
const PEN_USE = 1;
/** Random numbers of each further offset that is tried: which Gaussian, and two for the offset. */
const AGAIN = 3;
/** Where the random numbers of what is tried begin. */
const TRIED = 2 ** 24;
/** Where the random numbers of what is drawn after a stroke was taken back begin, for each that was. */
const RETAKEN = 2 ** 32;
const PEN_STATES = 3;
/** Place of the ink that a model with a canvas imagines in what stays the same while drawing. */
const IMAGINED = 2;
/** Place of the pictures that are looked at, 0 everywhere where there is none. */
const GLIMPSED = 3;
/** Columns of the table of what is drawn: the offset, and whether the pen lifts. */
const DRAWN = 3;

/** How rows are drawn from the mixture; see `DrawSettings`. */
export interface SampleSettings {
  readonly temperature: number;
  readonly penTemperature: number;
  readonly tries: number;
  readonly retakes: number;
  readonly settle: boolean;
  readonly maxPoints: number;
}

/** n drawings that have k rows each. `begin` makes one, `drawOn` goes on with it. */
export interface Begun {
  readonly n: number;
  readonly k: number;
  /** The stroke-5 rows `n * k * 5`, in model units. */
  readonly rows: Float32Array;
  /** Before the last row is handed to the decoder. */
  readonly state: State;
  /** Log probabilities of the pen states at the last row, `n * 3`. */
  readonly logPen: Float32Array;
  /** Of the rows given the code, in nats; of a pen that is down at the last row, nothing is counted. */
  readonly logLikelihood: Float64Array;
}

export interface Watching {
  /** Between rows. */
  readonly turn?: Turn;
  /** After each row: those drawings that go on, and what there is of one. */
  readonly onRow?: (going: readonly number[], soFar: (index: number) => Drawing) => void;
  /** As soon as a drawing has ended by itself. */
  readonly onEnd?: (index: number, drawing: Drawing) => void;
}

export const NO_TURN: Turn = () => Promise.resolve();

/** The rows `n * k * 5`, handed to the decoder as the beginning of drawings of codes `n * z`; see `Runtime.start`. */
export async function begin(
  runtime: Runtime,
  codes: Float32Array,
  rows: Float32Array,
  n: number,
  turn: Turn = NO_TURN,
  pictures?: Float32Array,
): Promise<Begun> {
  const k = rows.length / (n * ROW);
  let state = await runtime.start(codes, n, pictures);
  let previous = startRows(runtime.info, n);
  let logPen: Float32Array = new Float32Array(n * PEN_STATES);
  const logLikelihood = new Float64Array(n);
  for (let index = 0; index < k; index++) {
    await turn();
    const [mixture, after] = await runtime.step(previous, state);
    state = after;
    logPen = mixture.logPen;
    previous = new Float32Array(n * ROW);
    for (let i = 0; i < n; i++) {
      const row = rows.subarray((i * k + index) * ROW, (i * k + index + 1) * ROW);
      previous.set(row, i * ROW);
      const pen = row[2]! === 1 ? Pen.down : row[3]! === 1 ? Pen.up : Pen.end;
      let density = logDensity(mixture, i, row[0]!, row[1]!);
      if (index < k - 1 || pen !== Pen.down) density += logPen[i * PEN_STATES + pen]!;
      logLikelihood[i] = logLikelihood[i]! + density;
    }
  }
  return { n, k, rows, state, logPen, logLikelihood };
}

/** The drawings `chosen`, in that order; repeats allowed. */
export function selectBegun(begun: Begun, chosen: readonly number[]): Begun {
  return {
    n: chosen.length,
    k: begun.k,
    rows: selectRows(begun.rows, begun.k * ROW, chosen),
    state: selectState(begun.state, chosen),
    logPen: selectRows(begun.logPen, PEN_STATES, chosen),
    logLikelihood: Float64Array.from(chosen, (index) => begun.logLikelihood[index]!),
  };
}

/**
 * Each begun drawing finished with its seed, in canvas units of the input's picture; the given rows count as points. A
 * drawing that has ended takes no more work. The same seed, weights and device give the same strokes, whatever is
 * drawn beside them.
 */
export async function drawOn(
  runtime: Runtime,
  begun: Begun,
  seeds: BigUint64Array,
  settings: SampleSettings,
  { turn = NO_TURN, onRow, onEnd }: Watching = {},
): Promise<Drawing[]> {
  const { n, k: given } = begun;
  const { maxPoints, temperature, penTemperature, tries, retakes, settle } = settings;
  if (given > maxPoints) throw new Error(`${given} points are given, and a drawing has ${maxPoints} at most.`);
  const streams = new Streams(seeds);
  const table = new Float32Array(n * maxPoints * DRAWN);
  const lengths = new Int32Array(n).fill(given);
  const ended = new Uint8Array(n);
  const cell = (drawing: number, row: number): number => (drawing * maxPoints + row) * DRAWN;
  const { raster, sequence } = runtime.info;
  const imagined = begun.state.fixed[IMAGINED]?.data;
  const looked = picturesOf(begun.state, n);
  const inks = tries > 1 ? inksOf(begun.state, n) : null;
  const soFar = (index: number): Drawing => {
    const drawn = table.subarray(cell(index, 0), cell(index, lengths[index]!));
    const strokes = strokesOf(drawn, sequence);
    const whole = ended[index] === 1 || lengths[index] === maxPoints;
    if (imagined === undefined) return { strokes, ended: ended[index] === 1 };
    const pixels = raster.size * raster.size;
    const picture = looked?.[index];
    const ink = imagined.slice(index * pixels, (index + 1) * pixels);
    picture?.forEach((value, pixel) => (ink[pixel] = Math.max(ink[pixel]!, value)));
    // The stroke that is being drawn may still become a line.
    const [done, now] = whole ? [strokes, []] : [strokes.slice(0, -1), strokes.slice(-1)];
    const clean = [...withoutSpecks(done, ink, raster, given), ...now];
    const kept = whole && settle && picture ? settled(clean, picture, raster, given) : clean;
    return { strokes: kept, ended: ended[index] === 1 };
  };

  let state = begun.state;
  let rows = given > 0 ? lastRows(begun) : startRows(runtime.info, n);
  for (let i = 0; given > 0 && i < n; i++) {
    if (rows[i * ROW + 2 + Pen.down] === 1) {
      const chance = streams.uniform(i, (given - 1) * USES + PEN_USE);
      if (choose(begun.logPen, i * PEN_STATES, Pen.end, chance, penTemperature) === Pen.up) {
        rows[i * ROW + 2 + Pen.down] = 0;
        rows[i * ROW + 2 + Pen.up] = 1;
      }
    }
    for (let row = 0; row < given; row++) {
      const from = (i * given + row) * ROW;
      table.set([begun.rows[from]!, begun.rows[from + 1]!, begun.rows[from + 2 + Pen.up]!], cell(i, row));
    }
    table[cell(i, given - 1) + 2] = rows[i * ROW + 2 + Pen.up]!;
  }

  const placed = (drawing: number): Point[][] => {
    return placesOf(table.subarray(cell(drawing, 0), cell(drawing, lengths[drawing]!)), sequence.scale);
  };
  const takes = (retakes > 0 ? looked : null)?.map((picture, index): Take => {
    const [moving, most] = [movingOf(state, index), picture.some((value) => value > 0) ? retakes : 0];
    const paper = inkOnPaper(given > 0 ? placed(index) : [], raster);
    const missing = missingInk(picture, paper, raster);
    return { picture, paper, moving, row: rowAt(rows, index).slice(), at: given, most, left: most, taken: 0, missing };
  });
  /** The last stroke of a drawing stays, or goes where it does not lie on the picture or finds no end. */
  const judge = (take: Take, drawing: number, state: State, index: number, row: Float32Array): void => {
    const lifted = row[2 + Pen.up] === 1;
    if (!lifted && lengths[drawing]! - take.at <= LONG) return;
    const after = lifted ? take.paper.slice() : null;
    if (after !== null) {
      inkOnPaper(placed(drawing).slice(-1), raster).forEach((value, pixel) => (after[pixel] = Math.max(after[pixel]!, value)));
    }
    if (take.left > 0 && (after === null || !isWorthIt(take, after))) {
      takeBack(take, state, index, row);
      lengths[drawing] = take.at;
    } else if (after !== null) {
      keepStroke(take, after, state, index, row);
      take.at = lengths[drawing]!;
      take.missing = missingInk(take.picture, after, raster);
      take.left = take.most;
    }
  };

  let going = Array.from({ length: n }, (_, index) => index);
  while (going.length > 0) {
    await turn();
    const [mixture, after] = await runtime.step(rows, state);
    state = after;
    const kept: number[] = [];
    const next = new Float32Array(going.length * ROW);
    going.forEach((drawing, i) => {
      const row = lengths[drawing]!;
      const take = takes?.[drawing];
      if (row === 0 || (take && lacks(take, row))) mixture.logPen[i * PEN_STATES + Pen.end] = -Infinity;
      const origin = (take?.taken ?? 0) * RETAKEN;
      const chance = (use: number): number => streams.uniform(drawing, origin + row * USES + use);
      const pen = choose(mixture.logPen, i * PEN_STATES, PEN_STATES, chance(PEN_USE), penTemperature);
      if (pen === Pen.end) {
        ended[drawing] = 1;
        onEnd?.(drawing, soFar(drawing));
      } else if (row < maxPoints) {
        const at = kept.push(i) * ROW - ROW;
        const heat = temperature + (take ? warmth(take, row) : 0);
        drawOffset(mixture, i, [chance(0), chance(2), chance(3)], heat, next, at);
        if (inks !== null) {
          const again = (use: number): number => {
            return streams.uniform(drawing, origin + TRIED + row * (1 + AGAIN * (tries - 1)) + use);
          };
          const offsets = new Float32Array(tries * ROW);
          const worth = new Float32Array(tries);
          const sight = sightOf(after, i, inks[drawing]!);
          offsets.set(next.subarray(at, at + 2));
          for (let k = 0; k < tries; k++) {
            const use = 1 + AGAIN * (k - 1);
            if (k > 0) drawOffset(mixture, i, [again(use), again(use + 1), again(use + 2)], heat, offsets, k * ROW);
            const [dx, dy] = [offsets[k * ROW]! * sequence.scale, offsets[k * ROW + 1]! * sequence.scale];
            worth[k] = aim(sight, dx, dy, raster);
          }
          const best = choose(worth, 0, tries, again(0), 1) * ROW;
          next.set(offsets.subarray(best, best + 2), at);
        }
        const begins = take && seeks(take, row) ? beginsOf(take, raster) : [];
        if (begins.length > 0) {
          const [x, y] = placeOf(after, i);
          const goals = begins.map((to): Point => [
            Math.fround((to.x - x) / sequence.scale),
            Math.fround((to.y - y) / sequence.scale),
          ]);
          const opinion = goals.map(([dx, dy]) => logDensity(mixture, i, dx, dy));
          next.set(goals[chooseBegin(begins, opinion, chance(0))]!, at);
        }
        next[at + 2 + pen] = 1;
        table.set([next[at]!, next[at + 1]!, pen === Pen.up ? 1 : 0], cell(drawing, row));
        lengths[drawing] = row + 1;
        if (take) judge(take, drawing, state, i, next.subarray(at, at + ROW));
      }
    });
    rows = next.subarray(0, kept.length * ROW);
    if (kept.length < going.length) {
      going = kept.map((i) => going[i]!);
      state = selectState(state, kept);
    }
    onRow?.(going, soFar);
  }
  return Array.from({ length: n }, (_, index) => soFar(index));
}

/** The ink that each drawing is to draw: of the picture that is looked at, or what is imagined; null without a canvas. */
function inksOf({ fixed }: State, n: number): Float32Array[] | null {
  const imagined = fixed[IMAGINED]?.data;
  if (imagined === undefined) return null;
  const pictures = picturesOf({ fixed, moving: [] }, n);
  const pixels = imagined.length / n;
  return Array.from({ length: n }, (_, index) => {
    const picture = pictures?.[index];
    return picture?.some((value) => value > 0) ? picture : imagined.slice(index * pixels, (index + 1) * pixels);
  });
}

/** The ink in 0..1 of the picture that each drawing looks at, blank where there is none; null without a glimpse. */
function picturesOf({ fixed }: State, n: number): Float32Array[] | null {
  const looked = fixed[GLIMPSED]?.data;
  if (looked === undefined) return null;
  const pixels = looked.length / n;
  return Array.from({ length: n }, (_, index) => {
    const picture = looked.slice(index * pixels, (index + 1) * pixels);
    return picture.some((value) => value !== 0) ? picture.map((value) => (value + 1) / 2) : picture;
  });
}

/** What a drawing by a model with a canvas sees; the last three parts of its state are the tally, the pen's place and it. */
function sightOf({ moving }: State, index: number, ink: Float32Array): Sight {
  const [tally, place, down] = moving.slice(-3).map(({ data, dims }) => {
    return data.subarray(index * dims[1]!, (index + 1) * dims[1]!);
  });
  return { ink, tally: tally!, x: place![0]!, y: place![1]!, down: down![0]! > 0 };
}

/** Where the pen of a drawing by a model with a canvas is, in canvas units from the centre. */
function placeOf({ moving }: State, index: number): Point {
  const { data } = moving.at(-2)!;
  return [data[index * 2]!, data[index * 2 + 1]!];
}

function lastRows({ rows, n, k }: Begun): Float32Array {
  const last = new Float32Array(n * ROW);
  for (let i = 0; i < n; i++) last.set(rows.subarray((i * k + k - 1) * ROW, (i + 1) * k * ROW), i * ROW);
  return last;
}

/** The strokes of rows (dx, dy, lift) in model units, the canvas's middle being that of a drawing that starts there. */
function strokesOf(rows: Float32Array, { start, scale }: SequenceSpec): Stroke[] {
  const middle = start === "centre" ? CANVAS_SIZE / 2 : 0;
  const strokes: Point[][] = [];
  let stroke: Point[] = [];
  let x = 0;
  let y = 0;
  const single = Math.fround(scale);
  const startsWithDot = rows[0] === 0 && rows[1] === 0 && rows[2] === 1;
  if (start === "first" && !startsWithDot) stroke.push([0, 0]);
  for (let at = 0; at < rows.length; at += DRAWN) {
    x += Math.fround(rows[at]! * single);
    y += Math.fround(rows[at + 1]! * single);
    stroke.push([Math.fround(Math.fround(x) + middle), Math.fround(Math.fround(y) + middle)]);
    if (rows[at + 2]! > 0.5) {
      strokes.push(stroke);
      stroke = [];
    }
  }
  if (stroke.length > 0) strokes.push(stroke);
  return strokes;
}

/** The strokes of rows (dx, dy, lift) in canvas units from the centre. */
function placesOf(rows: Float32Array, scale: number): Point[][] {
  const strokes: Point[][] = [[]];
  const single = Math.fround(scale);
  let [x, y] = [0, 0];
  for (let at = 0; at < rows.length; at += DRAWN) {
    x = Math.fround(x + rows[at]!);
    y = Math.fround(y + rows[at + 1]!);
    strokes.at(-1)!.push([Math.fround(x * single), Math.fround(y * single)]);
    if (rows[at + 2]! > 0.5 && at + DRAWN < rows.length) strokes.push([]);
  }
  return strokes;
}

/** One of `count` log probabilities that begin at `from`, by a chance in [0, 1). */
export function choose(
  logProbability: Float32Array,
  from: number,
  count: number,
  chance: number,
  temperature: number,
): number {
  let best = 0;
  for (let index = 1; index < count; index++) {
    if (logProbability[from + index]! > logProbability[from + best]!) best = index;
  }
  if (temperature === 0) return best;
  const highest = logProbability[from + best]! / temperature;
  const weight = (index: number): number => Math.exp(logProbability[from + index]! / temperature - highest);
  let total = 0;
  for (let index = 0; index < count; index++) total += weight(index);
  const wanted = chance * total;
  let cumulative = 0;
  for (let index = 0; index < count - 1; index++) {
    cumulative += weight(index);
    if (cumulative > wanted) return index;
  }
  return count - 1;
}

/** Draws the offset of drawing `i` into `rows` at `at`; the roundings are those of the Python sampler. */
function drawOffset(
  mixture: Mixture,
  i: number,
  [which, far, turned]: readonly [which: number, far: number, turned: number],
  temperature: number,
  rows: Float32Array,
  at: number,
): void {
  const from = i * mixture.components;
  const chosen = from + choose(mixture.logPi, from, mixture.components, which, temperature);
  const rho = mixture.rho[chosen]!;
  const sharpness = Math.sqrt(temperature);
  const sigmaX = Math.fround(Math.exp(mixture.logSigmaX[chosen]!)) * sharpness;
  const sigmaY = Math.fround(Math.exp(mixture.logSigmaY[chosen]!)) * sharpness;
  const radius = Math.sqrt(-2 * Math.log1p(-far));
  const angle = 2 * Math.PI * turned;
  const first = radius * Math.cos(angle);
  const second = radius * Math.sin(angle);
  const across = rho * first + Math.fround(Math.sqrt(Math.fround(1 - Math.fround(rho * rho)))) * second;
  rows[at] = mixture.muX[chosen]! + sigmaX * first;
  rows[at + 1] = mixture.muY[chosen]! + sigmaY * across;
}

/** Log density of an offset in model units, in nats (Graves 2013, eqs. 24-25). */
function logDensity(mixture: Mixture, i: number, x: number, y: number): number {
  const { components } = mixture;
  const each = new Float64Array(components);
  let highest = -Infinity;
  for (let c = 0; c < components; c++) {
    const at = i * components + c;
    const rho = mixture.rho[at]!;
    const dx = (x - mixture.muX[at]!) * Math.exp(-mixture.logSigmaX[at]!);
    const dy = (y - mixture.muY[at]!) * Math.exp(-mixture.logSigmaY[at]!);
    const rest = (1 - rho) * (1 + rho);
    each[c] =
      mixture.logPi[at]! -
      0.5 * ((dx - rho * dy) ** 2 / rest + dy * dy) -
      mixture.logSigmaX[at]! -
      mixture.logSigmaY[at]! -
      0.5 * Math.log(rest);
    highest = Math.max(highest, each[c]!);
  }
  let sum = 0;
  for (let c = 0; c < components; c++) sum += Math.exp(each[c]! - highest);
  return highest + Math.log(sum) - Math.log(2 * Math.PI);
}
