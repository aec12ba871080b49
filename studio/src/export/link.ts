import { deflateSync } from "fflate";
import type { Drawing, Point, Stroke } from "../core/types";
import { unpacked } from "../pictures/unpack";
import { quantized } from "./ndjson";

/** What such a link's hash begins with: the version of what follows. */
const PREFIX = "#d1.";
/** Longest hash that is read, and most bytes that it may unpack to. */
const LONGEST_HASH = 1 << 20;
const MOST_BYTES = 4 << 20;
/** Largest coordinate: a fitted drawing's longest side is 255. */
const LARGEST = 255;

/**
 * The hash of a link that holds the drawing: fitted and rounded to whole canvas units, deflated, in base64url.
 *
 * Unpacked: the category's length in bytes and its UTF-8; then for each stroke its number of points and their steps
 * from the point before, the first from (0, 0). Numbers are varints (7 bits a byte, the lowest first), steps in zigzag.
 */
export function toLink(drawing: Drawing): string {
  const out: number[] = [];
  const write = (value: number) => {
    for (; value > 127; value >>>= 7) out.push((value & 127) | 128);
    out.push(value);
  };
  const category = new TextEncoder().encode(drawing.category ?? "");
  write(category.length);
  out.push(...category);
  let pen: Point = [0, 0];
  for (const stroke of quantized(drawing)) {
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
  return PREFIX + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The drawing in the hash of a link, with or without its #; null where there is none or it is damaged. */
export function fromLink(hash: string): Drawing | null {
  const given = hash.startsWith("#") ? hash : `#${hash}`;
  if (!given.startsWith(PREFIX) || given.length > LONGEST_HASH) return null;
  try {
    const text = atob(given.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const data = unpacked(Uint8Array.from(text, (character) => character.charCodeAt(0)), "deflate", MOST_BYTES);
    return data.length > MOST_BYTES ? null : parsed(data);
  } catch {
    return null;
  }
}

function parsed(data: Uint8Array): Drawing | null {
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
  if (at + length > data.length) return null;
  const category = new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(at, at + length));
  at += length;
  const strokes: Stroke[] = [];
  let [x, y] = [0, 0];
  while (at < data.length) {
    const count = read();
    if (count < 1 || count > data.length) return null;
    const stroke: Point[] = [];
    for (let n = 0; n < count; n++) {
      x += step();
      y += step();
      if (x < 0 || y < 0 || x > LARGEST || y > LARGEST) return null;
      stroke.push([x, y]);
    }
    strokes.push(stroke);
  }
  return strokes.length ? { strokes, ...(category && { category }) } : null;
}
