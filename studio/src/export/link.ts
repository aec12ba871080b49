import { deflateSync } from "fflate";
import { pointCount } from "../core/geometry";
import type { Drawing, Point, Stroke } from "../core/types";
import { unpacked } from "../pictures/unpack";
import { quantized } from "./ndjson";

/** What such a link's hash begins with: what it is for, and the version of what follows. */
const PREFIXES = { drawing: "#d1.", challenge: "#c1." } as const;
/** Longest hash that is read, and most bytes that it may unpack to. */
const LONGEST_HASH = 1 << 16;
const MOST_BYTES = 1 << 16;
/** Largest coordinate: a fitted drawing's longest side is 255. */
const LARGEST = 255;
/** Most strokes and points of a drawing in a link. */
const MOST_STROKES = 500;
const MOST_POINTS = 10_000;
const LIMITS = `a link holds ${MOST_STROKES} strokes and ${MOST_POINTS.toLocaleString("en")} points at most`;

/** Why a link cannot be made or read, in one sentence. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

const DAMAGED = "The link is damaged or cut short; ask for it again.";

/**
 * The hash of a link that holds the drawing: fitted and rounded to whole canvas units, deflated, in base64url. Throws a
 * LinkError where it is too large for one.
 *
 * Unpacked: the category's length in bytes and its UTF-8; then for each stroke its number of points and their steps
 * from the point before, the first from (0, 0). Numbers are varints (7 bits a byte, the lowest first), steps in zigzag.
 */
export function toLink(drawing: Drawing, kind: keyof typeof PREFIXES = "drawing"): string {
  const out: number[] = [];
  const write = (value: number) => {
    for (; value > 127; value >>>= 7) out.push((value & 127) | 128);
    out.push(value);
  };
  const category = new TextEncoder().encode(drawing.category ?? "");
  write(category.length);
  out.push(...category);
  let pen: Point = [0, 0];
  const strokes = quantized(drawing);
  if (strokes.length > MOST_STROKES || pointCount(strokes) > MOST_POINTS) {
    throw new LinkError(`This drawing is too large for a link (${LIMITS}); save it as a file.`);
  }
  for (const stroke of strokes) {
    write(stroke.length);
    for (const point of stroke) {
      for (const axis of [0, 1] as const) {
        const step = point[axis] - pen[axis];
        write(step < 0 ? -2 * step - 1 : 2 * step);
      }
      pen = point;
    }
  }
  const packed = deflateSync(Uint8Array.from(out), { level: 9 });
  const text = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(""));
  return PREFIXES[kind] + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** What a link holds. */
export interface Linked {
  readonly drawing: Drawing;
  /** Whether it is half of one, to be finished by whoever opens it. */
  readonly isChallenge: boolean;
}

/** What the hash of a link holds, with or without its #; null where it is none. Throws a LinkError. */
export function fromLink(hash: string): Linked | null {
  const given = hash.startsWith("#") ? hash : `#${hash}`;
  if (!/^#[cd]\d*\./.test(given)) return null;
  const isChallenge = given.startsWith(PREFIXES.challenge);
  if (!isChallenge && !given.startsWith(PREFIXES.drawing)) throw new LinkError("The link is of another version of the studio; update this one.");
  if (given.length > LONGEST_HASH) throw new LinkError(`The link's drawing is too large (${LIMITS}).`);
  let data: Uint8Array;
  try {
    const text = atob(given.slice(PREFIXES.drawing.length).replaceAll("-", "+").replaceAll("_", "/"));
    data = unpacked(Uint8Array.from(text, (character) => character.charCodeAt(0)), "deflate", MOST_BYTES);
  } catch {
    throw new LinkError(DAMAGED);
  }
  if (data.length > MOST_BYTES) throw new LinkError(`The link's drawing is too large (${LIMITS}).`);
  try {
    return { drawing: parsed(data), isChallenge };
  } catch (error) {
    throw error instanceof LinkError ? error : new LinkError(DAMAGED);
  }
}

function parsed(data: Uint8Array): Drawing {
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = data[at++];
      if (byte === undefined) break;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError("no number");
  };
  const step = (): number => {
    const value = read();
    return value & 1 ? -(value + 1) / 2 : value / 2;
  };
  const length = read();
  if (at + length > data.length) throw new RangeError("no name");
  const category = new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(at, at + length));
  at += length;
  const strokes: Stroke[] = [];
  let [x, y, points] = [0, 0, 0];
  while (at < data.length) {
    const count = read();
    points += count;
    if (strokes.length >= MOST_STROKES || points > MOST_POINTS) {
      throw new LinkError(`The link's drawing is too large (${LIMITS}).`);
    }
    if (count < 1) throw new RangeError("a stroke without points");
    const stroke: Point[] = [];
    for (let n = 0; n < count; n++) {
      x += step();
      y += step();
      if (x < 0 || y < 0 || x > LARGEST || y > LARGEST) throw new RangeError("beyond the canvas");
      stroke.push([x, y]);
    }
    strokes.push(stroke);
  }
  if (strokes.length === 0) throw new RangeError("no strokes");
  return { strokes, ...(category && { category }) };
}
