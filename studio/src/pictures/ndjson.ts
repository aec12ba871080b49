import { boundsOf, CANVAS_SIZE, fitted, simplified } from "../core/geometry";
import type { Drawing, Point, Stroke } from "../core/types";
import { PictureError } from "./errors";

/** Drawings taken from one file. */
const MOST_DRAWINGS = 1000;

/** Largest coordinate that is taken for one. */
const MAX_NUMBER = 1e9;

/** Tolerance with which Quick, Draw! simplifies its raw drawings, in canvas units. */
const EPSILON = 2;

/**
 * The drawings of an ndjson file, one a line, simplified as Quick, Draw! publishes them or raw with times.
 *
 * They are fitted to 255 canvas units, and simplified where they were not. Broken lines are left out. Throws
 * PictureError where all are.
 */
export function drawingsFromNdjson(text: string): Drawing[] {
  const drawings: Drawing[] = [];
  for (let at = 0; at < text.length && drawings.length < MOST_DRAWINGS; ) {
    const end = text.indexOf("\n", at) + 1 || text.length;
    const drawing = parsed(text.slice(at, end));
    if (drawing) drawings.push(drawing);
    at = end;
  }
  if (drawings.length) return drawings;
  throw new PictureError('No drawing in this file; an ndjson line looks like {"word": "cat", "drawing": [...]}.');
}

function parsed(line: string): Drawing | null {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof entry !== "object" || entry === null) return null;
  if (!("drawing" in entry) || !Array.isArray(entry.drawing)) return null;
  const strokes = entry.drawing.map(strokeOf);
  if (!strokes.length || !strokes.every((stroke) => stroke !== null)) return null;
  const word = "word" in entry && typeof entry.word === "string" ? entry.word : "";
  const whole = fitted({ strokes, ...(word && { category: word }) });
  return isSimplified(strokes) ? whole : { ...whole, strokes: simplified(whole.strokes, EPSILON) };
}

function strokeOf(lists: unknown): Stroke | null {
  if (!Array.isArray(lists)) return null;
  const [xs, ys] = lists as unknown[];
  if (!isNumbers(xs) || !isNumbers(ys) || xs.length !== ys.length || !xs.length) return null;
  return xs.map((x, n): Point => [x, ys[n]!]);
}

function isNumbers(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((number) => typeof number === "number" && Math.abs(number) <= MAX_NUMBER);
}

/** Whole coordinates and a longest side of 255, as Quick, Draw!'s simplified drawings have. */
function isSimplified(strokes: readonly Stroke[]): boolean {
  const { left, top, right, bottom } = boundsOf(strokes)!;
  const side = Math.max(right - left, bottom - top);
  return Math.abs(side - CANVAS_SIZE) <= 1 && strokes.flat(2).every(Number.isInteger);
}
