/**
 * Completion: a started drawing is continued by the decoder. `drawing/complete.py` tells the idea.
 *
 * The decoder's rows lie in the frame of the finished drawing, and its code is the finished picture's; a started
 * drawing tells neither. So the started strokes are laid on the beginnings of other drawings; the rest of those most
 * alike is put beside the started strokes, and the decoder goes on with the code and the frame of that collage.
 */

import { meanSquare } from "./atlas";
import { boundsOf, CANVAS_SIZE, type Frame, frameOf, lengthOf, pointCount, simplified } from "./geometry";
import { joined, type Model, NO_ROWS, offsetRows, SIMPLIFIED_BY, WRONG } from "./model";
import { Normals, seedsOfUse } from "./random";
import { Pen, ROW, type SequenceSpec, type Turn } from "./runtime";
import { begin, type Begun, drawOn, NO_TURN, selectBegun } from "./sampler";
import type { Drawing, DrawSettings, Point, Stroke } from "./types";

/** Collages that the started strokes are weighed in, and how many of them are finished; the best are shown. */
const COLLAGES = 24;
const FINISHED = 12;
/** Collages of one category, where the category is open. */
const OF_CATEGORY = 3;
/** Places along the lines at which two drawings are compared. */
const PLACES = 24;
/** How far width and height may be stretched apart from the mean scale to make first strokes look alike. */
const WARP = 1.16;
/** Nats for a distance of the whole extent from the started strokes, and of 1 from the collage's code. */
const UNLIKE = 60;
const ASTRAY = 300;
/** Share of its nats that the prior counts with, which is far surer of itself than it should be. */
const PLAUSIBLE = 0.2;
/** Nats against a drawing that adds no ink where that share of it usually is new; less for one that adds some. */
const LITTLE = 30;
const USUALLY_ADDED = 0.3;
/** Nats that an alternative has to be better by for each one before it that looks like the same category. */
const SAME = 15;
/** Longest side of the started drawing over that of the finished one, where there is nothing to compare it with. */
const SHARES = [1, 0.9, 0.75, 0.6, 0.45, 0.3];
/** Drawings of the prior that are compared with where there is no map. */
const THINGS = { ofCategory: 32, ofAny: 96 };
const THINGS_SPREAD = 0.4;

export interface CompletionRequest {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
  readonly category: string | null;
  readonly penDown: boolean;
}

export interface Completion {
  readonly drawing: Drawing;
  /** How many of its strokes are the started ones; the last of them may go on. */
  readonly started: number;
}

/** A drawing to compare with, prepared. */
interface Thing {
  readonly category: string | null;
  readonly strokes: readonly Stroke[];
  readonly points: readonly Point[];
  /** Length of line up to each point. */
  readonly along: Float64Array;
  /** Number of points at the end of each stroke. */
  readonly ends: readonly number[];
  /** Numbers of points after which it may be cut. */
  readonly cuts: readonly number[];
}

interface Collage extends Drawing {
  /** Distance of its beginning from the started strokes, in extents of them. */
  readonly unlike: number;
}

/** Completes drawings with one model; keeps what it compares with. */
export class Completer {
  private atlas: readonly Thing[] | null = null;
  private readonly imagined = new Map<string | null, Promise<readonly Thing[]>>();

  private waiting = 0;

  /** `breathe`: called between rows of things that are drawn to compare with, which goes on whoever gives up. */
  constructor(
    private readonly model: Model,
    private readonly breathe: Turn = NO_TURN,
  ) {}

  /** Whether a completion waits for things to compare with. */
  get isAwaited(): boolean {
    return this.waiting > 0;
  }

  /** Makes what completions would wait for at first: where there is no map, things to compare with are drawn. */
  async prepare(): Promise<void> {
    if (this.model.hasEncoder) await this.things(null);
  }

  async complete(
    drawing: Drawing,
    { samples, seed, settings, category, penDown }: CompletionRequest,
    turn: Turn = NO_TURN,
  ): Promise<Completion[]> {
    const strokes = drawing.strokes.filter((stroke) => stroke.length > 0);
    if (strokes.length === 0) throw new Error("There is nothing to go on with: draw a first stroke.");
    const { model } = this;
    const found = model.hasEncoder ? await this.collages(strokes, category, Math.max(COLLAGES, samples), turn) : [];
    if (found.length === 0) return this.unseen(strokes, samples, seed, settings, category, penDown, turn);

    const codes = await model.encode(found, turn);
    const frames = found.map((collage) => frameOf(collage.strokes));
    const begun = await this.begun(strokes, frames, joined(codes), penDown, settings.maxPoints, turn);
    // The likelihood of the strokes so far is far too sure of itself, so it is tempered by their number.
    const fits = found.map((collage, index) => likelihood(begun, index, frames[index]!) - UNLIKE * collage.unlike);
    const kept = ranked(fits).slice(0, Math.max(FINISHED, samples));
    const drawn = await drawOn(model.runtime, selectBegun(begun, kept), seedsOfUse(seed, 1, kept.length), settings, {
      turn,
    });
    const finished = drawn.map((one, index) => joinedOn(strokes, one, begun.k, frames[kept[index]!]!.side, model));
    const again = await model.encode(finished, turn);

    const points = pointCount(strokes);
    const length = lengthOf(strokes);
    const candidates = finished.map((one, index) => {
      const from = kept[index]!;
      const astray = meanSquare(again[index]!, codes[from]!);
      const wrong = (one.ended ? 0 : WRONG) + (pointCount(one.strokes) === points ? WRONG / 2 : 0);
      const added = 1 - length / Math.max(lengthOf(one.strokes), 1e-9);
      const little = LITTLE * Math.max(0, USUALLY_ADDED - added);
      const { plausible, looks } = this.judged(again[index]!, category, found[from]!.category ?? null);
      return { drawing: one, looks, score: fits[from]! + PLAUSIBLE * plausible - ASTRAY * astray - little - wrong };
    });
    return chosen(candidates, samples, category).map(({ drawing: one, looks }) => ({
      drawing: looks === null ? one : { ...one, category: looks },
      started: strokes.length,
    }));
  }

  /** How plausible a code is, above what is usual of its category, and which category it looks like. */
  private judged(
    code: Float32Array,
    category: string | null,
    collage: string | null,
  ): { plausible: number; looks: string | null } {
    const { prior } = this.model;
    if (prior === null) return { plausible: 0, looks: category ?? collage };
    if (category !== null && prior.categories.includes(category)) {
      return { plausible: prior.logDensity(code, prior.index(category)), looks: category };
    }
    const posterior = prior.posterior(code);
    const index = posterior.indexOf(Math.max(...posterior));
    return { plausible: prior.logDensity(code, null) - this.usual(index), looks: prior.categories[index]! };
  }

  private readonly usualOf: number[] = [];

  /** Log density that samples of a category usually have: one drawn in few ways has a higher one everywhere. */
  private usual(index: number): number {
    const prior = this.model.prior!;
    const normals = new Normals(0, index);
    return (this.usualOf[index] ??=
      Array.from({ length: 4 }, () => prior.logDensity(prior.sample(index, normals, THINGS_SPREAD), null)).reduce(
        (sum, density) => sum + density,
      ) / 4);
  }

  private async collages(
    strokes: readonly Stroke[],
    category: string | null,
    count: number,
    turn: Turn,
  ): Promise<Collage[]> {
    this.waiting++;
    const things = await this.things(category).finally(() => this.waiting--);
    const started = prepared(strokes, null);
    await turn();
    const alike = things
      .map((thing) => collageOf(started, thing))
      .filter((collage) => collage !== null)
      .sort((a, b) => a.unlike - b.unlike);
    if (category !== null) return alike.slice(0, count);
    const counts = new Map<string | null, number>();
    return alike
      .filter((collage) => {
        const before = counts.get(collage.category ?? null) ?? 0;
        counts.set(collage.category ?? null, before + 1);
        return before < OF_CATEGORY;
      })
      .slice(0, count);
  }

  private async things(category: string | null): Promise<readonly Thing[]> {
    const { atlas, prior } = this.model;
    if (atlas !== null && (category === null || atlas.categories.includes(category))) {
      this.atlas ??= atlas.drawings.map((drawing) => prepared(drawing.strokes, drawing.category ?? null));
      return category === null ? this.atlas : this.atlas.filter((thing) => thing.category === category);
    }
    if (prior === null) return [];
    const found = this.imagined.get(category) ?? this.imagine(category);
    this.imagined.set(category, found);
    return found;
  }

  /** Things of the prior. */
  private async imagine(category: string | null): Promise<readonly Thing[]> {
    const prior = this.model.prior!;
    const n = category === null ? THINGS.ofAny : THINGS.ofCategory;
    const normals = new Normals(0, 2);
    const wanted = category === null ? null : prior.index(category);
    const things: Thing[] = [];
    for (let from = 0; from < n; from += 32) {
      const of = Array.from({ length: Math.min(32, n - from) }, () => wanted ?? prior.anyCategory(normals));
      const codes = of.map((index) => prior.sample(index, normals, THINGS_SPREAD));
      const { runtime } = this.model;
      const begun = await begin(runtime, joined(codes), NO_ROWS, of.length, this.breathe);
      const settings = { temperature: 0.2, penTemperature: 0.5, tries: 4, retakes: 0, settle: false, maxPoints: 160 };
      const drawn = await drawOn(runtime, begun, seedsOfUse(from, 0, of.length), settings, {
        turn: this.breathe,
      });
      drawn.forEach(({ strokes, ended }, index) => {
        if (ended) things.push(prepared(strokes, prior.categories[of[index]!]!));
      });
    }
    return things;
  }

  /** The started strokes handed to the decoder, for each code in its frame; simplified as people's drawings were. */
  private begun(
    strokes: readonly Stroke[],
    frames: readonly Frame[],
    codes: Float32Array,
    penDown: boolean,
    maxPoints: number,
    turn: Turn,
  ): Promise<Begun> {
    const { runtime } = this.model;
    const sides = frames.map(({ side }) => side).sort((a, b) => a - b);
    let epsilon = (SIMPLIFIED_BY * sides[Math.floor(sides.length / 2)]!) / CANVAS_SIZE;
    let simple = simplified(strokes, epsilon);
    while (pointCount(simple) > maxPoints / 2 && simple.some((stroke) => stroke.length > 2)) {
      epsilon *= 1.5;
      simple = simplified(strokes, epsilon);
    }
    const rows = startedRows(simple, frames, runtime.info.sequence, penDown);
    if (rows.length / (frames.length * ROW) >= maxPoints) {
      throw new Error(`The drawing has ${simple.length} strokes already, which leaves no room for more.`);
    }
    return begin(runtime, codes, rows, frames.length, turn);
  }

  /** Without an encoder or anything to compare with: on from the strokes so far, in frames that make them likely. */
  private async unseen(
    strokes: readonly Stroke[],
    samples: number,
    seed: number,
    settings: DrawSettings,
    category: string | null,
    penDown: boolean,
    turn: Turn,
  ): Promise<Completion[]> {
    const { model } = this;
    const { zSize } = model.runtime.info;
    const own = frameOf(strokes);
    const frames = model.hasEncoder ? [own] : SHARES.map((share) => ({ ...own, side: own.side / share }));
    const code = model.hasEncoder ? (await model.encode([{ strokes }], turn))[0]! : new Float32Array(zSize);
    const codes = joined(frames.map(() => code));
    const begun = await this.begun(strokes, frames, codes, penDown, settings.maxPoints, turn);
    const worth = frames.map((frame, index) => likelihood(begun, index, frame));
    const highest = Math.max(...worth);
    const normals = new Normals(seed, 3);
    const weights = worth.map((value) => Math.exp(value - highest));
    const each = Array.from({ length: 2 * samples }, () => normals.choose(weights));
    const seeds = seedsOfUse(seed, 1, each.length);
    const drawn = await drawOn(model.runtime, selectBegun(begun, each), seeds, settings, { turn });
    const { categories } = model.runtime.info;
    const name = category ?? (categories.length === 1 ? categories[0]! : null);
    const points = pointCount(strokes);
    const finished = drawn.map((one, index) => joinedOn(strokes, one, begun.k, frames[each[index]!]!.side, model));
    const scores = finished.map((one, index) => {
      const wrong = (one.ended ? 0 : 2) + (pointCount(one.strokes) === points ? 1 : 0);
      return worth[each[index]!]! - WRONG * wrong;
    });
    return ranked(scores)
      .slice(0, samples)
      .map((index) => ({
        drawing: name === null ? finished[index]! : { ...finished[index]!, category: name },
        started: strokes.length,
      }));
  }
}

/** Log density of the started strokes in their own coordinates, whatever the size of the frame, tempered. */
function likelihood(begun: Begun, index: number, frame: Frame): number {
  return (begun.logLikelihood[index]! - 2 * begun.k * Math.log(frame.side)) / Math.sqrt(Math.max(1, begun.k));
}

/** The indices of values, of the highest first. */
function ranked(values: readonly number[]): number[] {
  return Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
}

interface Candidate {
  readonly drawing: Drawing;
  readonly score: number;
  readonly looks: string | null;
}

/** The best ones, and where the category is open of different categories. */
function chosen(candidates: readonly Candidate[], samples: number, category: string | null): Candidate[] {
  const kept: Candidate[] = [];
  const left = [...candidates];
  const worth = ({ score, looks }: Candidate): number =>
    category === null ? score - SAME * kept.filter((one) => one.looks === looks).length : score;
  while (kept.length < samples && left.length > 0) {
    const best = left.reduce((a, b) => (worth(b) > worth(a) ? b : a));
    kept.push(best);
    left.splice(left.indexOf(best), 1);
  }
  return kept;
}

/** A drawing with what comparing it needs; it is cut at the ends and in the middle of its strokes. */
function prepared(strokes: readonly Stroke[], category: string | null): Thing {
  const points = strokes.flat();
  const along = new Float64Array(points.length);
  const ends: number[] = [];
  const cuts: number[] = [];
  let count = 0;
  for (const stroke of strokes) {
    for (let index = 0; index < stroke.length; index++, count++) {
      const step = index === 0 ? 0 : apart(points[count]!, points[count - 1]!);
      along[count] = (along[count - 1] ?? 0) + step;
    }
    const half = count - stroke.length + Math.max(1, Math.floor(stroke.length / 2));
    if (half < count) cuts.push(half);
    cuts.push(count);
    ends.push(count);
  }
  cuts.pop();
  return { category, strokes, points, along, ends, cuts };
}

/** The started strokes with the rest of a thing whose beginning is most like them; null where it cannot be cut. */
function collageOf(started: Thing, thing: Thing): Collage | null {
  const own = boundsOf(started.strokes)!;
  const size: Point = [own.right - own.left, own.bottom - own.top];
  const middle: Point = [(own.left + own.right) / 2, (own.top + own.bottom) / 2];
  const extent = Math.max(...size);
  const places = placesOf(started, started.points.length);
  let best = { unlike: Infinity, cut: 0, scale: [1, 1] as Point, centre: middle };
  for (const cut of thing.cuts) {
    const box = boundsOf([thing.points.slice(0, cut)])!;
    const beginning: Point = [box.right - box.left, box.bottom - box.top];
    if (extent > 0 && Math.max(...beginning) === 0) continue;
    const scale = stretch(beginning, size);
    const centre: Point = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    const others = placesOf(thing, cut);
    for (let index = 0; index < others.length; index += 2) {
      others[index] = (others[index]! - centre[0]) * scale[0] + middle[0];
      others[index + 1] = (others[index + 1]! - centre[1]) * scale[1] + middle[1];
    }
    const unlike = (meanNearest(places, others) + meanNearest(others, places)) / 2 / (extent || CANVAS_SIZE);
    if (unlike < best.unlike) best = { unlike, cut, scale, centre };
  }
  if (best.unlike === Infinity) return null;
  const { cut, scale, centre } = best;
  const moved = (index: number): Point => [
    (thing.points[index]![0] - centre[0]) * scale[0] + middle[0],
    (thing.points[index]![1] - centre[1]) * scale[1] + middle[1],
  ];
  const rest: Stroke[] = [];
  thing.ends.forEach((end, stroke) => {
    const from = stroke === 0 ? 0 : thing.ends[stroke - 1]!;
    if (end <= cut) return;
    // A stroke that is cut goes on from the last point before.
    const first = from < cut ? cut - 1 : from;
    rest.push(Array.from({ length: end - first }, (_, index) => moved(first + index)));
  });
  const strokes = [...started.strokes, ...rest];
  return { strokes, unlike: best.unlike, ...(thing.category !== null && { category: thing.category }) };
}

/** Scales across and down that bring a box to a wanted size, within the limits of `WARP`. */
function stretch(size: Point, wanted: Point): Point {
  const longest = Math.max(...size);
  const most = Math.max(...wanted);
  if (most === 0 || longest === 0) return [1, 1];
  const scale = size.map((side, axis) =>
    side > 0.05 * longest && wanted[axis]! > 0.05 * most ? wanted[axis]! / side : most / longest,
  );
  const mean = Math.sqrt(scale[0]! * scale[1]!);
  const within = (value: number): number => Math.min(mean * WARP, Math.max(mean / WARP, value));
  return [within(scale[0]!), within(scale[1]!)];
}

/** Places at equal distances along the lines of a thing's first points, two numbers each. */
function placesOf({ points, along }: Thing, count: number): Float64Array {
  const places = new Float64Array(2 * PLACES);
  const total = along[count - 1]!;
  let index = 0;
  for (let place = 0; place < PLACES; place++) {
    const at = (total * place) / (PLACES - 1);
    while (index < count - 1 && along[index + 1]! <= at) index++;
    const next = Math.min(index + 1, count - 1);
    const step = along[next]! - along[index]!;
    const share = step > 0 ? (at - along[index]!) / step : 0;
    places[2 * place] = points[index]![0] + share * (points[next]![0] - points[index]![0]);
    places[2 * place + 1] = points[index]![1] + share * (points[next]![1] - points[index]![1]);
  }
  return places;
}

/** Mean distance from places to the nearest of others. */
function meanNearest(places: Float64Array, others: Float64Array): number {
  let sum = 0;
  for (let a = 0; a < places.length; a += 2) {
    let nearest = Infinity;
    for (let b = 0; b < others.length; b += 2) {
      const [dx, dy] = [places[a]! - others[b]!, places[a + 1]! - others[b + 1]!];
      nearest = Math.min(nearest, dx * dx + dy * dy);
    }
    sum += Math.sqrt(nearest);
  }
  return (2 * sum) / places.length;
}

function apart([ax, ay]: Point, [bx, by]: Point): number {
  return Math.hypot(ax - bx, ay - by);
}

/** The stroke-5 rows of the started strokes in each frame, in model units. */
function startedRows(
  strokes: readonly Stroke[],
  frames: readonly Frame[],
  { start, scale }: SequenceSpec,
  penDown: boolean,
): Float32Array {
  const first = start === "first";
  const [x, y] = strokes[0]![0]!;
  let table = offsetRows(strokes, first, x, y);
  if (penDown) {
    table = first && pointCount(strokes) === 1 ? [] : table;
    const last = table[table.length - 1];
    if (last !== undefined) last[2] = 0;
  }
  const rows = new Float32Array(frames.length * table.length * ROW);
  frames.forEach((frame, index) => {
    const unit = CANVAS_SIZE / frame.side / scale;
    table.forEach(([dx, dy, lift], row) => {
      const at = (index * table.length + row) * ROW;
      // A drawing that starts in the centre of its frame begins with the way from there.
      const fromCentre = !first && row === 0;
      rows[at] = (fromCentre ? x - frame.centre[0] : dx) * unit;
      rows[at + 1] = (fromCentre ? y - frame.centre[1] : dy) * unit;
      rows[at + 2 + (lift === 1 ? Pen.up : Pen.down)] = 1;
    });
  });
  return rows;
}

/** The started strokes as they are, and what was drawn beyond the `given` rows, led on from the last started point. */
function joinedOn(started: readonly Stroke[], drawn: Drawing, given: number, side: number, model: Model): Drawing {
  // With the first point left out of the rows, there is one point more than rows.
  const before = given + (model.runtime.info.sequence.start === "first" && !startsWithDot(drawn) ? 1 : 0);
  const last = started[started.length - 1]!;
  const [endX, endY] = last[last.length - 1]!;
  const all = drawn.strokes.flat();
  const [fromX, fromY] = all[before - 1]!;
  const scale = side / CANVAS_SIZE;
  const strokes: Stroke[] = [...started];
  let count = 0;
  for (const stroke of drawn.strokes) {
    const begun = count < before;
    const added = stroke
      .slice(Math.max(0, before - count))
      .map(([x, y]): Point => [(x - fromX) * scale + endX, (y - fromY) * scale + endY]);
    count += stroke.length;
    if (added.length === 0) continue;
    if (begun) strokes[started.length - 1] = [...last, ...added];
    else strokes.push(added);
  }
  return drawn.ended === undefined ? { strokes } : { strokes, ended: drawn.ended };
}

function startsWithDot({ strokes }: Drawing): boolean {
  return strokes[0]?.length === 1;
}
