import type { Atlas } from "./atlas";
import { MODEL } from "./constants";
import { CANVAS_SIZE, fitted, frameOf, pointCount, reframed, simplified } from "./geometry";
import { LEVEL, type Noised, sampleCodes } from "./flow";
import { anyCategory, drawingSeeds } from "./random";
import { shadesOf } from "./raster";
import { NO_TURN, ROW, type Runtime, selectState, type Told, type Turn } from "./runtime";
import { draw } from "./sampler";
import { DEFAULT_FREEDOM, type Drawing, type DrawSettings } from "./types";

/** Proposals that are drawn together: more give hardly more a second, and the first are longer in coming. */
const AT_ONCE = 12;
/** Pictures encoded together. */
const ENCODED_AT_ONCE = 32;
/** Canvas units that people's drawings were simplified by, before a model saw their strokes. */
export const SIMPLIFIED_BY = 2;

export interface DrawRequest {
  readonly samples: number;
  readonly seed: number;
  readonly settings: DrawSettings;
}

export interface DrawWatching {
  readonly turn?: Turn;
  /** What there is so far of one drawing. */
  readonly onRow?: (code: number, sample: number, soFar: () => Drawing) => void;
  readonly onDrawing?: (code: number, sample: number, drawing: Drawing) => void;
}

/** A category that a picture may show. */
export interface Guess {
  readonly category: string;
  readonly probability: number;
}

/** One drawing that is wanted, and what it is drawn from. */
interface Wanted {
  readonly code: number;
  readonly sample: number;
  /** The number of categories stands for "not told". */
  readonly category: number;
  readonly stream: bigint;
}

/** A model folder that draws: `drawing/model.py`. */
export class Model {
  constructor(
    readonly runtime: Runtime,
    readonly atlas: Atlas | null,
  ) {}

  get hasEncoder(): boolean {
    return this.runtime.info.encoder !== "none";
  }

  /** The number that stands for "not told". */
  get unknown(): number {
    return this.runtime.info.categories.length;
  }

  // -- drawing ----------------------------------------------------------------------------------------------------

  /**
   * Redraw a drawing, in its place and size, with the freedom of the settings. category: what it shows, for freedom
   * above 0; null = what the classifier takes it for.
   */
  async redraw(
    drawing: Drawing,
    request: DrawRequest,
    watching: DrawWatching = {},
    category: string | null = null,
  ): Promise<Drawing[]> {
    const freedom = this.freedom(request.settings);
    const codes = await this.encode([drawing], watching.turn);
    const { onRow, onDrawing } = watching;
    const back = (redrawn: Drawing): Drawing => this.inFrameOf(drawing, redrawn);
    const own: DrawWatching = {
      ...watching,
      ...(onRow && { onRow: (code, sample, soFar) => onRow(code, sample, () => back(soFar())) }),
      ...(onDrawing && { onDrawing: (code, sample, redrawn) => onDrawing(code, sample, back(redrawn)) }),
    };
    if (freedom === 0 || this.runtime.info.encoder === "rnn") {
      const picture = shadesOf(drawing, this.runtime.info.raster);
      const [drawings] = await this.drawCodes(codes, request, own, [picture]);
      return drawings!.map(back);
    }
    const index = category === null ? await this.indexOfPicture(drawing) : this.indexOf(category);
    const [drawings] = await this.varyCodes(codes, [index], request, own);
    return drawings!.map(back);
  }

  /**
   * Draw each code `samples` times, as they are, in canvas units of its picture. With the pictures, ink of each in 0..1,
   * these are followed where the model attends to pictures.
   */
  drawCodes(
    codes: readonly Float32Array[],
    { samples, seed, settings }: DrawRequest,
    watching: DrawWatching = {},
    pictures: readonly Float32Array[] | null = null,
  ): Promise<Drawing[][]> {
    const streams = drawingSeeds(seed, samples);
    const wanted = wantedOf(codes.length, samples, (code, sample) => ({
      code,
      sample,
      category: this.unknown,
      stream: streams[sample]!,
    }));
    const followed = this.runtime.info.attends ? pictures : null;
    const each = followed === null ? 1 : settings.proposals;
    return this.drawn(wanted, each, settings, watching, async (group) => ({
      codes: group.map(({ code }) => codes[code]!),
      level: 0,
      pictures: followed && group.map(({ code }) => followed[code]!),
    }));
  }

  /** Variations of codes: noised to the level `settings.freedom`, brought back by the flow, drawn. */
  varyCodes(
    codes: readonly Float32Array[],
    categories: readonly number[],
    { samples, seed, settings }: DrawRequest,
    watching: DrawWatching = {},
  ): Promise<Drawing[][]> {
    const level = this.freedom(settings);
    const streams = drawingSeeds(seed, samples);
    const wanted = wantedOf(codes.length, samples, (code, sample) => ({
      code,
      sample,
      category: categories[code]!,
      stream: streams[sample]!,
    }));
    return this.drawn(wanted, 1, settings, watching, (group) => {
      const noised = { codes: group.map(({ code }) => codes[code]!), levels: group.map(() => level) };
      return this.flowing(group, settings.guidance, watching.turn, noised);
    });
  }

  /**
   * Draw codes that no picture has, such as mixtures, each noised to its level and brought back by the flow without a
   * category; as they are, by a model without a flow. Samples share their random numbers over the codes, so that near
   * codes are drawn alike.
   */
  drawBetween(
    codes: readonly Float32Array[],
    levels: readonly number[],
    request: DrawRequest,
    watching: DrawWatching = {},
  ): Promise<Drawing[][]> {
    if (!this.runtime.hasFlow) return this.drawCodes(codes, request, watching);
    const { samples, seed, settings } = request;
    const streams = drawingSeeds(seed, samples);
    const wanted = wantedOf(codes.length, samples, (code, sample) => {
      return { code, sample, category: this.unknown, stream: streams[sample]! };
    });
    return this.drawn(wanted, 1, settings, watching, (group) => {
      const own = group.map(({ code }) => code);
      const noised = { codes: own.map((code) => codes[code]!), levels: own.map((code) => levels[code]!) };
      return this.flowing(group, 1, watching.turn, noised);
    });
  }

  /** Draw things of a category from nothing, or (null) of any. A model without an encoder draws from its first state. */
  async generate(
    category: string | null,
    { samples, seed, settings }: DrawRequest,
    watching: DrawWatching = {},
  ): Promise<Drawing[]> {
    const { categories, zSize } = this.runtime.info;
    const wanted = category === null ? null : this.indexOf(category);
    if (wanted !== null && !this.hasEncoder && categories.length > 1) {
      throw new Error(`This model cannot be told which of its ${categories.length} categories to draw.`);
    }
    const streams = drawingSeeds(seed, samples);
    const any = anyCategory(seed, samples, categories.length);
    const each = Array.from({ length: samples }, (_, sample): Wanted => {
      return { code: 0, sample, category: wanted ?? any[sample]!, stream: streams[sample]! };
    });
    const named = (sample: number, drawing: Drawing): Drawing => {
      const name = categories[each[sample]!.category];
      return name === undefined ? drawing : { ...drawing, category: name };
    };
    const { onRow, onDrawing } = watching;
    const own: DrawWatching = {
      ...watching,
      ...(onRow && { onRow: (code, sample, soFar) => onRow(code, sample, () => named(sample, soFar())) }),
      ...(onDrawing && { onDrawing: (code, sample, drawing) => onDrawing(code, sample, named(sample, drawing)) }),
    };
    const [drawings] = await this.drawn(each, 1, settings, own, async (group) => {
      if (this.hasEncoder) return this.flowing(group, settings.guidance, watching.turn);
      return { codes: group.map(() => new Float32Array(zSize)), level: 0, pictures: null };
    });
    return (drawings ?? []).map((drawing, sample) => named(sample, drawing));
  }

  /** A code of a category, drawn by the flow. */
  async codeOfCategory(category: string, seed: number, guidance: number, turn: Turn = NO_TURN): Promise<Float32Array> {
    const given = { category: Int32Array.of(this.indexOf(category)), partial: null };
    const { codes } = await sampleCodes(this.runtime, given, drawingSeeds(seed, 1), guidance, { turn });
    return codes[0]!;
  }

  /** Freedom, where none is given and the model has a flow the usual one. */
  private freedom({ freedom }: DrawSettings): number {
    const { hasFlow } = this.runtime;
    if (freedom === null) return hasFlow ? DEFAULT_FREEDOM : 0;
    if (freedom > 0 && !hasFlow) throw new Error("This model has no flow over codes, so it draws at freedom 0 alone.");
    return freedom;
  }

  private async flowing(
    group: readonly Wanted[],
    guidance: number,
    turn: Turn | undefined,
    noised?: Noised,
  ): Promise<Source> {
    const given = { category: Int32Array.from(group, ({ category }) => category), partial: null };
    const streams = BigUint64Array.from(group, ({ stream }) => stream);
    const found = await sampleCodes(this.runtime, given, streams, guidance, { noised, turn });
    return { codes: found.codes, level: LEVEL, pictures: null };
  }

  /** Draws what is wanted, group by group, from what `source` makes of each group. */
  private async drawn(
    wanted: readonly Wanted[],
    each: number,
    settings: DrawSettings,
    { turn = NO_TURN, onRow, onDrawing }: DrawWatching,
    source: (group: readonly Wanted[]) => Promise<Source>,
  ): Promise<Drawing[][]> {
    const found: Drawing[][] = [];
    for (const group of parts(wanted, Math.max(1, Math.floor(AT_ONCE / each)))) {
      await turn();
      const { codes, level, pictures } = await source(group);
      // A code is started once for all its drawings.
      const own = [...new Set(codes)];
      const firsts = own.map((code) => codes.indexOf(code));
      const told: Told = {
        level: new Float32Array(own.length).fill(level),
        category: Int32Array.from(firsts, (index) => group[index]!.category),
        ...(pictures && { pictures: joined(firsts.map((index) => pictures[index]!)) }),
      };
      const state = await this.runtime.start(joined(own), own.length, told);
      const begun = {
        n: group.length,
        state: selectState(state, codes.map((code) => own.indexOf(code))),
        ...(pictures && settings.proposals > 1 && { pictures }),
      };
      const streams = BigUint64Array.from(group, ({ stream }) => stream);
      const drawings = await draw(this.runtime, begun, streams, settings, {
        turn,
        ...(onRow && { onRow: (index, soFar) => onRow(group[index]!.code, group[index]!.sample, soFar) }),
        ...(onDrawing && { onEnd: (index, one) => onDrawing(group[index]!.code, group[index]!.sample, one) }),
      });
      group.forEach(({ code, sample }, index) => ((found[code] ??= [])[sample] = drawings[index]!));
    }
    return found;
  }

  /** A drawing that was drawn from another's code, moved and scaled to where that one is. */
  private inFrameOf(original: Drawing, redrawn: Drawing): Drawing {
    const canvas = { side: CANVAS_SIZE, centre: [CANVAS_SIZE / 2, CANVAS_SIZE / 2] } as const;
    const own = this.runtime.info.sequence.start === "centre" ? canvas : frameOf(redrawn.strokes);
    return { ...redrawn, strokes: reframed(redrawn.strokes, own, frameOf(original.strokes)) };
  }

  // -- what pictures show -----------------------------------------------------------------------------------------

  /** The number of a category. Throws for one that the model does not know. */
  indexOf(category: string): number {
    const index = this.runtime.info.categories.indexOf(category);
    if (index < 0) throw new Error(`This model knows no ${category}.`);
    return index;
  }

  /** What a drawing may show, the likeliest first. Throws for a model without a classifier. */
  async recognise(drawing: Drawing, count: number): Promise<Guess[]> {
    const { classifier } = this.runtime;
    if (classifier === null) throw new Error("This model has no classifier, which names what a drawing shows.");
    if (pointCount(drawing.strokes) === 0) return [];
    const logits = await this.runtime.classify(shadesOf(drawing, classifier.raster), 1);
    const highest = Math.max(...logits);
    const each = Array.from(logits, (logit) => Math.exp(logit - highest));
    const total = each.reduce((sum, value) => sum + value, 0);
    return each
      .map((value, index) => ({ category: classifier.categories[index]!, probability: value / total }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, count);
  }

  /** The number of the category that a drawing shows, or of "not told" where that is unsure. */
  private async indexOfPicture(drawing: Drawing): Promise<number> {
    const { classifier, info } = this.runtime;
    if (classifier === null || !sameRaster(classifier.raster, info.raster)) return this.unknown;
    const [best] = await this.recognise(drawing, 1);
    const index = best === undefined ? -1 : info.categories.indexOf(best.category);
    return index >= 0 && best!.probability >= MODEL.sure ? index : this.unknown;
  }

  // -- codes ------------------------------------------------------------------------------------------------------

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

  private encodeInk(drawings: readonly Drawing[]): Promise<Float32Array> {
    const { raster } = this.runtime.info;
    return this.runtime.encodeInk(joined(drawings.map((drawing) => shadesOf(drawing, raster))), drawings.length);
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
}

/** What a group of drawings is drawn from. */
interface Source {
  readonly codes: readonly Float32Array[];
  readonly level: number;
  readonly pictures: readonly Float32Array[] | null;
}

function wantedOf(codes: number, samples: number, one: (code: number, sample: number) => Wanted): Wanted[] {
  return Array.from({ length: codes * samples }, (_, index) => one(Math.floor(index / samples), index % samples));
}

function sameRaster(a: Runtime["info"]["raster"], b: Runtime["info"]["raster"]): boolean {
  return a.size === b.size && a.line === b.line && a.margin === b.margin;
}

/** Arrays in one. */
export function joined(arrays: readonly Float32Array[]): Float32Array {
  const width = arrays[0]?.length ?? 0;
  const together = new Float32Array(arrays.length * width);
  arrays.forEach((values, index) => together.set(values, index * width));
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

function parts<T>(values: readonly T[], size: number): T[][] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, index) => values.slice(index * size, (index + 1) * size));
}
