import { GIFEncoder } from "gifenc";
import { type Frame, reframed } from "../core/geometry";
import type { Drawing, Point, Stroke } from "../core/types";
import { colourOf, INK, inner, lineWidthFor, PAPER, Paper, placed, shades, unitsPer, type Colour } from "./ink";

export interface GifOptions {
  /** Side of a drawing in pixels. Several are drawn side by side in a grid of such cells. */
  readonly size: number;
  /** How long the drawing takes; left out: at the speed of a hand, at least 1.5 and at most 8. */
  readonly seconds?: number;
  readonly framesPerSecond?: number;
  /** Seconds that the finished drawing is held. */
  readonly hold?: number;
  /** #rrggbb */
  readonly background?: string;
  /** #rrggbb */
  readonly ink?: string;
  /** Of each stroke of a single drawing, #rrggbb, two at most; left out: `ink`. */
  readonly colours?: readonly string[];
  /** In pixels; chosen by the size where it is left out. */
  readonly lineWidth?: number;
  /** 0 to 1. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** Canvas units a second of a quick hand: of 66 raw Quick, Draw! drawings the median is 200, a tenth are above 435. */
const HAND = 400;
/** What lifting the pen costs, in canvas units of drawing. */
const LIFT = 30;
/** How many times as fast the lifted pen moves. */
const TRAVEL = 3;
const SHORTEST = 1.5;
const LONGEST = 8;

/** Shades from paper to a line's colour. */
const SHADES = 15;

/** Milliseconds of work before the page has its turn. */
const TURN = 12;

/** Most pixels of all frames together; of more drawings than fit the cells are smaller. */
const MOST_PIXELS = 200_000_000;

/**
 * The drawing being drawn, for ever again, as an animated GIF; several drawings at the same time, in a grid.
 *
 * A frame holds only what is new since the one before. Rejects with an AbortError where the signal says so.
 */
export async function toGif(drawings: Drawing | readonly Drawing[], options: GifOptions): Promise<Blob> {
  const all = "strokes" in drawings ? [drawings] : drawings;
  const { framesPerSecond = 25, hold = 1.5, background = PAPER, ink = INK, onProgress, signal } = options;
  const columns = Math.max(1, Math.ceil(Math.sqrt(all.length)));
  const rows = Math.max(1, Math.ceil(all.length / columns));
  const longest = Math.max(0, ...all.map(({ strokes }) => timed(strokes).length));
  const seconds = options.seconds ?? Math.min(LONGEST, Math.max(SHORTEST, longest / HAND));
  const count = Math.max(1, Math.round(seconds * framesPerSecond));
  const size = Math.min(options.size, Math.floor(Math.sqrt(MOST_PIXELS / (count * columns * rows))));
  const lineWidth = options.lineWidth ?? lineWidthFor(size);
  const cells = all.map(({ strokes }, n) => {
    const pixels = placed(strokes, size, (n % columns) * size, Math.floor(n / columns) * size);
    return { ...timed(strokes), pixels };
  });

  const inks = [...new Set(options.colours ?? [ink])];
  const inkOf = (stroke: number): number => Math.max(0, inks.indexOf(options.colours?.[stroke] ?? ink));
  const film = new Film(columns * size, rows * size, background, inks);
  const at = (frame: number) => 10 * Math.round((100 * frame) / framesPerSecond); // GIF counts hundredths of a second
  for (let frame = 0; frame < count; frame++) {
    signal?.throwIfAborted();
    const last = frame === count - 1;
    for (const { pixels, times, length } of cells) {
      const from = frame === 0 ? -1 : (length * frame) / count;
      const to = last ? Infinity : (length * (frame + 1)) / count;
      pixels.forEach((stroke, n) => film.stroke(inkOf(n), partBetween(stroke, times[n]!, from, to), lineWidth));
    }
    await film.shoot(at(frame + 1) - at(frame) + (last ? 1000 * hold : 0));
    onProgress?.((frame + 1) / count);
  }
  return film.developed();
}

export interface MorphOptions {
  /** Side of the picture in pixels. */
  readonly size: number;
  /** Milliseconds of each drawing. */
  readonly each?: number;
  /** The square, in the drawings' units, that is seen. */
  readonly frame: Frame;
}

/** Drawings one after the other, there and back for ever, as an animated GIF. */
export async function toMorph(drawings: readonly Drawing[], { size, each = 80, frame }: MorphOptions): Promise<Blob> {
  const film = new Film(size, size, PAPER, [INK]);
  const to = inner(size);
  for (const { strokes } of [...drawings, ...drawings.slice(1, -1).reverse()]) {
    film.wipe();
    for (const stroke of reframed(strokes, frame, to)) film.stroke(0, stroke, lineWidthFor(size));
    await film.shoot(each);
  }
  return film.developed();
}

/** Frames of a GIF, each of which holds only what has changed since the one before. */
class Film {
  private readonly papers: readonly Paper[];
  private readonly encoder = GIFEncoder();
  private readonly palette: readonly Colour[];
  private readonly unchanged: number;
  private readonly shown: Uint8Array;
  private frames = 0;
  private turn = performance.now();

  constructor(
    private readonly width: number,
    private readonly height: number,
    background: string,
    inks: readonly string[],
  ) {
    const paper = colourOf(background);
    this.papers = inks.map(() => new Paper(width, height));
    this.palette = inks.flatMap((ink) => shades(paper, colourOf(ink), SHADES));
    this.unchanged = this.palette.length;
    this.shown = new Uint8Array(width * height).fill(this.unchanged);
  }

  stroke(ink: number, points: readonly Point[], lineWidth: number): void {
    this.papers[ink]!.stroke(points, lineWidth);
  }

  wipe(): void {
    for (const { ink } of this.papers) ink.fill(0);
  }

  /** Where two inks meet, the stronger one is seen. */
  async shoot(delay: number): Promise<void> {
    const { papers, shown, unchanged } = this;
    const pixels = new Uint8Array(shown.length);
    for (let i = 0; i < pixels.length; i++) {
      const by = papers.length > 1 && papers[1]!.ink[i]! > papers[0]!.ink[i]! ? 1 : 0;
      const shade = Math.round((papers[by]!.ink[i]! * (SHADES - 1)) / 255);
      const colour = shade === 0 ? 0 : by * SHADES + shade;
      pixels[i] = colour === shown[i] ? unchanged : colour;
      shown[i] = colour;
    }
    const first = this.frames++ === 0;
    this.encoder.writeFrame(pixels, this.width, this.height, {
      ...(first && { palette: [...this.palette, [0, 0, 0]], repeat: 0 }),
      delay,
      colorDepth: papers.length > 1 ? 5 : 4,
      dispose: 1,
      transparent: !first,
      transparentIndex: unchanged,
    });
    if (performance.now() - this.turn < TURN) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.turn = performance.now();
  }

  developed(): Blob {
    this.encoder.finish();
    return new Blob([this.encoder.bytes()], { type: "image/gif" });
  }
}

/** When the pen is at each point. */
interface Times {
  /** A row a stroke, in canvas units of drawing, or of time lost in the air. */
  readonly times: readonly (readonly number[])[];
  readonly length: number;
}

/** A pen of constant speed, which moves faster while it is lifted. */
function timed(strokes: readonly Stroke[]): Times {
  const unit = unitsPer(strokes);
  let clock = 0;
  let pen: Point | null = null;
  const times = strokes.map((stroke) => {
    if (pen && stroke[0]) clock += LIFT + (unit * distance(pen, stroke[0])) / TRAVEL;
    pen = stroke[stroke.length - 1] ?? pen;
    return stroke.map((point, n) => (clock += n ? unit * distance(stroke[n - 1]!, point) : 0));
  });
  return { times, length: clock };
}

/** The part of a stroke drawn after one time and until another; empty where there is none. */
function partBetween(points: Stroke, times: readonly number[], from: number, to: number): Point[] {
  const [begin, end] = [times[0] ?? Infinity, times[times.length - 1] ?? -Infinity];
  if (begin > to || end <= from) return [];
  const part: Point[] = [];
  points.forEach((point, n) => {
    const now = times[n]!;
    const before = times[n - 1] ?? now;
    const at = (time: number) => blend(points[n - 1]!, point, (time - before) / (now - before));
    if (before < from && from < now) part.push(at(from));
    if (from <= now && now <= to) part.push(point);
    if (before <= to && to < now) part.push(at(to));
  });
  return part;
}

function blend(a: Point, b: Point, t: number): Point {
  return [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
