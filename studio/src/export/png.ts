import { zlibSync } from "fflate";
import type { Drawing } from "../core/types";
import { colourOf, INK, lineWidthFor, PAPER, Paper, placed, shades } from "./ink";

export interface PngOptions {
  /** Side of the picture in pixels. */
  readonly size: number;
  /** #rrggbb; null leaves the paper transparent. */
  readonly background?: string | null;
  /** #rrggbb */
  readonly ink?: string;
  /** In pixels; chosen by the size where it is left out. */
  readonly lineWidth?: number;
}

/** A picture of the drawing, square, in 256 shades. Without strokes it is blank. */
export async function toPng(drawing: Drawing, options: PngOptions): Promise<Blob> {
  const { size, background = PAPER, ink = INK, lineWidth = lineWidthFor(size) } = options;
  const paper = new Paper(size, size);
  for (const stroke of placed(drawing.strokes, size)) paper.stroke(stroke, lineWidth);
  const line = colourOf(ink);
  const palette = Uint8Array.from(shades(background === null ? line : colourOf(background), line, 256).flat());
  const rows = new Uint8Array(size * (size + 1)); // each row begins with its filter, 0 for none
  for (let y = 0; y < size; y++) rows.set(paper.ink.subarray(y * size, (y + 1) * size), y * (size + 1) + 1);
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, size);
  view.setUint32(4, size);
  head.set([8, 3], 8); // 8 bits a pixel, a palette
  const opacity = Uint8Array.from({ length: 256 }, (_, shade) => shade);
  return new Blob(
    [
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      chunk("IHDR", head),
      chunk("PLTE", palette),
      ...(background === null ? [chunk("tRNS", opacity)] : []),
      chunk("IDAT", zlibSync(rows, { level: 9 })),
      chunk("IEND", new Uint8Array()),
    ],
    { type: "image/png" },
  );
}

function chunk(kind: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(kind), 4);
  out.set(data, 8);
  view.setUint32(data.length + 8, checksum(out.subarray(4, data.length + 8)));
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32. */
function checksum(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) value = TABLE[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
