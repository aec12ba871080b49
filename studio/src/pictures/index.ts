/** Files and pixels to drawings: what people drop, paste, pick or photograph. */
import type { Drawing } from "../core/types";
import { PictureError, UNREACHABLE, UNREADABLE } from "./errors";
import { drawingsFromNdjson } from "./ndjson";
import { PAGE, type Pixels } from "./page";
import { drawingFromSvg } from "./svg";
import { unpacked } from "./unpack";
import type { Answer, Encoded, Task } from "./worker";

export { PictureError } from "./errors";
export type { Pixels } from "./page";

/** Names of the files that are taken, for a file picker. */
export const ACCEPTED = "image/*,.svg,.svgz,.ndjson,.ndjson.gz";

/** Pictures of more pixels are refused before they are decoded. */
const MOST_PIXELS = 100_000_000;
/** Largest SVG, unpacked where it is packed; of an ndjson file, the part that is read. */
const MOST_TEXT = 32 << 20;
const MOST_LINES = 8 << 20;

/**
 * The drawings in a file: one of a picture (PNG, JPEG, WebP, GIF's first frame, BMP) or an SVG, all of an ndjson file.
 *
 * Each is fitted to 255 canvas units. The content decides what a file is. Throws PictureError.
 */
export async function drawingsFromFile(file: Blob, name = file instanceof File ? file.name : ""): Promise<Drawing[]> {
  if (file.size === 0) throw new PictureError("This file is empty; choose another one.");
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const content = start[0] === 0x1f && start[1] === 0x8b ? await unzipped(file) : file;
  const beginning = (await textOf(content.slice(0, 1024))).trimStart();
  if (beginning.startsWith("<")) {
    if (content.size > MOST_TEXT) throw new PictureError("This SVG has more than 32 MB; simplify it first.");
    return [await drawingFromSvg(await textOf(content))];
  }
  if (beginning.startsWith("{") || /\.ndjson(\.gz)?$/i.test(name)) {
    return drawingsFromNdjson(await textOf(content.slice(0, MOST_LINES)));
  }
  return [await ask(await sized(content))];
}

/** The drawing in pixels, such as a camera's. Throws PictureError. */
export async function drawingFromPixels(pixels: Pixels): Promise<Drawing> {
  return ask({ width: pixels.width, height: pixels.height, data: pixels.data });
}

/** Text in UTF-8, or in UTF-16 where it says so. */
async function textOf(content: Blob): Promise<string> {
  const data = new Uint8Array(await content.arrayBuffer());
  const mark = 256 * (data[0] ?? 0) + (data[1] ?? 0);
  return new TextDecoder(mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8").decode(data);
}

/** Gzipped content unpacked, no more than what is read of it. */
async function unzipped(file: Blob): Promise<Blob> {
  try {
    return new Blob([unpacked(new Uint8Array(await file.arrayBuffer()), "gzip", MOST_TEXT)]);
  } catch {
    throw new PictureError("This packed file is damaged or cut short; save it again without packing it.");
  }
}

/** A picture to be reduced while it is decoded: to twice a page's longest side, which tracing reduces well. */
async function sized(content: Blob): Promise<Encoded> {
  const { width, height } = await sizeOf(content);
  if (width * height > MOST_PIXELS) {
    const size = Math.round((width * height) / 1e6);
    throw new PictureError(`This picture has ${size} megapixels, more than the 100 that can be read; reduce it first.`);
  }
  const scale = Math.min(1, (2 * PAGE) / Math.max(width, height));
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  return { content, width: side(width), height: side(height) };
}

/** Width and height as it is shown, EXIF orientation applied; only the file's head is read for it. */
async function sizeOf(content: Blob): Promise<{ width: number; height: number }> {
  const address = URL.createObjectURL(content);
  const image = new Image();
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = address;
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    throw new PictureError(UNREADABLE);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Traces in a worker of its own, whose memory goes with it. */
async function ask(task: Task): Promise<Drawing> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
      // A script that cannot be loaded says nothing; an error in it has a message.
      worker.onerror = ({ message }) => reject(message ? new Error(message) : new PictureError(UNREACHABLE));
      worker.postMessage(task);
    });
    if ("sentence" in answer) throw new PictureError(answer.sentence);
    if ("failure" in answer) throw new Error(answer.failure);
    return answer.drawing;
  } catch (error) {
    if (error instanceof PictureError) throw error;
    throw new PictureError("This picture could not be traced; try a smaller one.", { cause: error });
  } finally {
    worker.terminate();
  }
}
