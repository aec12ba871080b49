import { type Atlas, meanSquare } from "./atlas";
import { CANVAS_SIZE, fitted, frameOf, pointCount, reframed, simplified } from "./geometry";
import { logSum, type Prior, SPREAD } from "./prior";
import { drawingSeeds, Normals } from "./random";
import { render } from "./raster";
import { ROW, type Runtime, type Turn } from "./runtime";
import { begin, drawOn, NO_TURN, selectBegun } from "./sampler";
import type { Drawing, DrawSettings } from "./types";

/** Drawings sampled together, about; more give hardly more a second, and the first are longer in coming. */
const AT_ONCE = 8;
/** Drawings sampled together where each is shown as it grows. */
const AT_ONCE_SHOWN = 12;
/** Pictures encoded together. */
const ENCODED_AT_ONCE = 32;
/** How often a drawing of the prior's codes, most of which no picture has, is seen and drawn again. */
const ROUNDS = 2;
/** How far from one drawing of the map to another things from nothing may lie, where the spread is 1. */
const BETWEEN = 0.5;
/** Behind all others: a drawing that did not end by itself. */
export const WRONG = 1e6;
/** Canvas units that people's drawings were simplified by, before a model saw their strokes. */
export const SIMPLIFIED_BY = 2;

export interface DrawRequest {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
}

export interface DrawWatching {
  readonly turn?: Turn;
  /** The rows so far of one drawing; only with one candidate. */
  readonly onRow?: (code: number, sample: number, soFar: () => Drawing) => void;
  readonly onDrawing?: (code: number, sample: number, drawing: Drawing) => void;
}

/** A model folder that draws: `drawing/model.py`. */
export class Model {
  constructor(
    readonly runtime: Runtime,
    readonly prior: Prior | null,
    readonly atlas: Atlas | null,
  ) {}

  get hasEncoder(): boolean {
    return this.runtime.info.encoder !== "none";
  }

  /** The code of each drawing: of its ink, or of its strokes where the encoder reads those. */
  async encode(drawings: readonly Drawing[], turn: Turn = NO_TURN): Promise<Float32Array[]> {
    const { info } = this.runtime;
    if (!this.hasEncoder) throw new Error("This model has no encoder, so it cannot see drawings.");
    if (drawings.some(({ strokes }) => pointCount(strokes) === 0)) throw new Error("There is nothing drawn yet.");
    const codes: Float32Array[] = [];
    for (let from = 0; from < drawings.length; from += ENCODED_AT_ONCE) {
      await turn();
      const part = drawings.slice(from, from + ENCODED_AT_ONCE);
      const found = await (info.encoder === "rnn" ? this.encodeStrokes(part) : this.encodeInk(part));
      part.forEach((_, index) => codes.push(found.slice(index * info.zSize, (index + 1) * info.zSize)));
    }
    return codes;
  }

  /**
   * Draw each code `samples` times, in canvas units of its picture. With the pictures, ink of each in 0..1, a model with
   * a glimpse looks at them while it draws.
   */
  async drawCodes(
    codes: readonly Float32Array[],
    { samples, seed, settings }: DrawRequest,
    { turn = NO_TURN, onRow, onDrawing }: DrawWatching = {},
    pictures?: readonly Float32Array[],
  ): Promise<Drawing[][]> {
    const { candidates } = settings;
    const seeds = drawingSeeds(seed, samples * candidates);
    const wanted = codes.flatMap((_, code) => Array.from({ length: samples }, (_, sample) => ({ code, sample })));
    const found: Drawing[][] = codes.map(() => []);
    for (const group of groups(wanted, candidates)) {
      const own = [...new Set(group.map(({ code }) => code))];
      const each = group.flatMap((one) =>
        Array.from({ length: candidates }, (_, candidate) => ({ ...one, candidate })),
      );
      const together = (each: readonly Float32Array[]): Float32Array => joined(own.map((code) => each[code]!));
      const shown = pictures && together(pictures);
      const begun = await begin(this.runtime, together(codes), NO_ROWS, own.length, turn, shown);
      const settle = (index: number, drawing: Drawing): void => {
        const { code, sample } = group[index]!;
        if (found[code]![sample] === undefined) onDrawing?.(code, sample, drawing);
        found[code]![sample] = drawing;
      };
      const drawn = await drawOn(
        this.runtime,
        selectBegun(begun, each.map(({ code }) => own.indexOf(code))),
        BigUint64Array.from(each, ({ sample, candidate }) => seeds[sample * candidates + candidate]!),
        settings,
        candidates > 1
          ? { turn }
          : {
              turn,
              onEnd: settle,
              onRow: (going, soFar) =>
                going.forEach((index) => onRow?.(group[index]!.code, group[index]!.sample, () => soFar(index))),
            },
      );
      const kept = candidates > 1 ? await this.kept(drawn, group.map(({ code }) => codes[code]!), turn) : drawn;
      kept.forEach((drawing, index) => settle(index, drawing));
    }
    return found;
  }

  /** Redraw a drawing, in its place and size. */
  async redraw(drawing: Drawing, request: DrawRequest, watching: DrawWatching = {}): Promise<Drawing[]> {
    const codes = await this.encode([drawing], watching.turn);
    const { onRow, onDrawing } = watching;
    const back = (redrawn: Drawing): Drawing => this.inFrameOf(drawing, redrawn);
    const [drawings] = await this.drawCodes(
      codes,
      request,
      {
        ...watching,
        ...(onRow && { onRow: (code, sample, soFar) => onRow(code, sample, () => back(soFar())) }),
        ...(onDrawing && { onDrawing: (code, sample, redrawn) => onDrawing(code, sample, back(redrawn)) }),
      },
      [this.inkOf([drawing])],
    );
    return drawings!.map(back);
  }

  /**
   * Draw things of a category from nothing, or (null) of any. With a map, codes lie between those of its drawings;
   * without one they are samples of the prior, and what they give is seen and drawn again, twice, as in Python.
   */
  async imagine(
    category: string | null,
    { samples, seed, settings }: DrawRequest,
    { turn = NO_TURN, onRow, onDrawing }: DrawWatching = {},
    spread = SPREAD,
  ): Promise<Drawing[]> {
    const { candidates } = settings;
    const seeds = drawingSeeds(seed, samples * candidates);
    const proposals = Array.from({ length: samples }, (_, sample) =>
      this.proposed(category, candidates, seed, sample, spread),
    );
    const rounds = this.atlas === null && this.prior !== null && this.hasEncoder ? ROUNDS : 0;
    const drawings: Drawing[] = [];
    for (const group of groups([...proposals.keys()], candidates)) {
      const n = group.length * candidates;
      const named = (index: number, drawing: Drawing): Drawing => {
        const name = proposals[group[index]!]!.category;
        return name === null ? drawing : { ...drawing, category: name };
      };
      const own = BigUint64Array.from({ length: n }, (_, index) => {
        return seeds[group[Math.floor(index / candidates)]! * candidates + (index % candidates)]!;
      });
      let codes = group.flatMap((sample) => proposals[sample]!.codes);
      let drawn: Drawing[] = [];
      for (let round = 0; round <= rounds; round++) {
        const last = round === rounds && candidates === 1;
        if (round > 0) codes = await this.encode(drawn, turn);
        const begun = await begin(this.runtime, joined(codes), NO_ROWS, n, turn);
        drawn = await drawOn(this.runtime, begun, own.map((stream) => stream + BigInt(round)), settings, {
          turn,
          ...(last && {
            onRow: (going, soFar) =>
              going.forEach((index) => onRow?.(0, group[index]!, () => named(index, soFar(index)))),
          }),
        });
      }
      const names = group.map((sample) => proposals[sample]!.category);
      const kept = candidates > 1 ? await this.surest(drawn, names, codes, turn) : drawn;
      kept.forEach((drawing, index) => {
        const one = named(index, drawing);
        drawings.push(one);
        onDrawing?.(0, group[index]!, one);
      });
    }
    return drawings;
  }

  /** A drawing that was drawn from another's code, moved and scaled to where that one is. */
  private inFrameOf(original: Drawing, redrawn: Drawing): Drawing {
    const canvas = { side: CANVAS_SIZE, centre: [CANVAS_SIZE / 2, CANVAS_SIZE / 2] } as const;
    const own = this.runtime.info.sequence.start === "centre" ? canvas : frameOf(redrawn.strokes);
    return { ...redrawn, strokes: reframed(redrawn.strokes, own, frameOf(original.strokes)) };
  }

  private encodeInk(drawings: readonly Drawing[]): Promise<Float32Array> {
    return this.runtime.encodeInk(this.inkOf(drawings), drawings.length);
  }

  /** Ink `n * size * size` in 0..1, as the encoder sees it. */
  private inkOf(drawings: readonly Drawing[]): Float32Array {
    const { raster } = this.runtime.info;
    const pixels = raster.size ** 2;
    const ink = new Float32Array(drawings.length * pixels);
    drawings.forEach((drawing, index) =>
      render(drawing, raster).forEach((value, pixel) => (ink[index * pixels + pixel] = value / 255)),
    );
    return ink;
  }

  private encodeStrokes(drawings: readonly Drawing[]): Promise<Float32Array> {
    const { start, scale } = this.runtime.info.sequence;
    const each = drawings.map((drawing) => {
      const strokes = simplified(fitted(drawing).strokes, SIMPLIFIED_BY);
      const [x, y] = start === "first" ? strokes[0]![0]! : frameOf(strokes).centre;
      const rows = offsetRows(strokes, start === "first", x, y);
      return [...rows.map(([dx, dy, lift]) => [dx / scale, dy / scale, 1 - lift, lift, 0]), [0, 0, 0, 0, 1]];
    });
    const time = Math.max(...each.map((rows) => rows.length));
    const padded = new Float32Array(each.length * time * ROW);
    each.forEach((rows, index) => padded.set(rows.flat(), index * time * ROW));
    return this.runtime.encodeRows(padded, Int32Array.from(each, (rows) => rows.length));
  }

  /** Of the candidates of each code, the one whose own code is nearest to it; unended ones last. */
  private async kept(drawn: readonly Drawing[], codes: readonly Float32Array[], turn: Turn): Promise<Drawing[]> {
    const again = this.hasEncoder ? await this.encode(drawn, turn) : null;
    const each = drawn.length / codes.length;
    return best(drawn, each, (index) => {
      const far = again === null ? 0 : meanSquare(again[index]!, codes[Math.floor(index / each)]!);
      return -far - (drawn[index]!.ended ? 0 : WRONG);
    });
  }

  /** Of the candidates of each thing, the one that the prior takes most surely for its category. */
  private async surest(
    drawn: readonly Drawing[],
    names: readonly (string | null)[],
    codes: readonly Float32Array[],
    turn: Turn,
  ): Promise<Drawing[]> {
    const { prior } = this;
    const each = drawn.length / names.length;
    if (prior === null || !this.hasEncoder) {
      const firsts = codes.filter((_, index) => index % each === 0);
      return this.kept(drawn, firsts, turn);
    }
    const again = await this.encode(drawn, turn);
    return best(drawn, each, (index) => {
      const densities = prior.logDensities(again[index]!);
      const joint = densities.map((density, c) => density + Math.log(prior.shares[c]!));
      const c = prior.index(names[Math.floor(index / each)]!);
      // Among those that are surely of the category, the likelier ones are the better drawings.
      return joint[c]! - logSum(joint) + 0.01 * densities[c]! - (drawn[index]!.ended ? 0 : WRONG);
    });
  }

  /** Codes for the candidates of one thing, and what it is to be. */
  private proposed(
    wanted: string | null,
    candidates: number,
    seed: number,
    sample: number,
    spread: number,
  ): { category: string | null; codes: Float32Array[] } {
    const { atlas, prior } = this;
    const { categories, zSize } = this.runtime.info;
    const normals = new Normals(seed, 1, sample);
    const each = (code: () => Float32Array): Float32Array[] => Array.from({ length: candidates }, code);
    if (zSize === 0) {
      if (wanted !== null && !categories.includes(wanted)) throw new Error(`This model knows no ${wanted}.`);
      if (wanted !== null && categories.length > 1) {
        throw new Error(`This model cannot be told which of its ${categories.length} categories to draw.`);
      }
      const category = wanted ?? (categories.length === 1 ? categories[0]! : null);
      return { category, codes: each(() => new Float32Array(0)) };
    }
    if (atlas !== null && (wanted === null || atlas.categories.includes(wanted))) {
      const category = wanted ?? atlas.categories[Math.floor(normals.uniform() * atlas.categories.length)]!;
      return { category, codes: each(() => this.nearAtlas(category, normals, spread)) };
    }
    if (prior === null) throw new Error("This model has learned no way to draw from nothing.");
    const index = wanted === null ? prior.anyCategory(normals) : prior.index(wanted);
    return { category: prior.categories[index]!, codes: each(() => prior.sample(index, normals, spread)) };
  }

  /** A code between those of two drawings of a category on the map, nearer to the first. */
  private nearAtlas(category: string, normals: Normals, spread: number): Float32Array {
    const atlas = this.atlas!;
    const own = atlas.ofCategory(category);
    const pick = (): Float32Array => atlas.code(own[Math.floor(normals.uniform() * own.length)]!);
    const [first, second] = [pick(), pick()];
    const share = BETWEEN * spread * normals.uniform();
    return first.map((value, d) => (1 - share) * value + share * second[d]!);
  }
}

export const NO_ROWS = new Float32Array(0);

/** Codes in one array. */
export function joined(codes: readonly Float32Array[]): Float32Array {
  const width = codes[0]?.length ?? 0;
  const together = new Float32Array(codes.length * width);
  codes.forEach((code, index) => together.set(code, index * width));
  return together;
}

/** stroke-3 rows of strokes, from a place where the pen is before; with `first`, it is on the first point, left out. */
export function offsetRows(
  strokes: Drawing["strokes"],
  first: boolean,
  x: number,
  y: number,
): [dx: number, dy: number, lift: number][] {
  let [penX, penY] = [x, y];
  const rows = strokes.flatMap((stroke) =>
    stroke.map(([toX, toY], index): [number, number, number] => {
      const row: [number, number, number] = [toX - penX, toY - penY, index === stroke.length - 1 ? 1 : 0];
      [penX, penY] = [toX, toY];
      return row;
    }),
  );
  return first && strokes[0]!.length > 1 ? rows.slice(1) : rows;
}

/** Of each `each` drawings the one of the greatest worth. */
function best(drawn: readonly Drawing[], each: number, worth: (index: number) => number): Drawing[] {
  const kept: Drawing[] = [];
  for (let from = 0; from < drawn.length; from += each) {
    let [chosen, highest] = [from, -Infinity];
    for (let index = from; index < from + each; index++) {
      const value = worth(index);
      if (value > highest) [chosen, highest] = [index, value];
    }
    kept.push(drawn[chosen]!);
  }
  return kept;
}

/** What is drawn together: with several candidates the first one alone, so that it is there soon. */
function groups<T>(wanted: readonly T[], candidates: number): T[][] {
  if (candidates === 1) return parts(wanted, AT_ONCE_SHOWN);
  return [wanted.slice(0, 1), ...parts(wanted.slice(1), Math.max(1, Math.floor(AT_ONCE / candidates)))];
}

function parts<T>(values: readonly T[], size: number): T[][] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, index) => values.slice(index * size, (index + 1) * size));
}
