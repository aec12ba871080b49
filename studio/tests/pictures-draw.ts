import { transformed } from "../src/core/geometry";
import type { Point } from "../src/core/types";
import { Paper } from "../src/export/ink";
import type { Pixels } from "../src/pictures/page";

/** Something of each pixel. */
type OfPixel = (x: number, y: number) => number;

/** A picture made for a test: a brightness for each pixel. */
export function picture(width: number, height: number, brightness: OfPixel): Pixels {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = brightness(x, y);
      data.set([value, value, value, 255], 4 * (y * width + x));
    }
  }
  return { width, height, data };
}

/** How much of a pixel lines of a width cover, 0 to 1, in a picture of 1000 x 1000 pixels at most. */
export function coverage(lines: readonly (readonly Point[])[], lineWidth: number, scale = 1): OfPixel {
  const paper = new Paper(1000, 1000);
  for (const line of transformed(lines, scale, 0, 0)) paper.stroke(line, lineWidth * scale);
  return (x, y) => paper.ink[y * 1000 + x]! / 255;
}

export function circle(x: number, y: number, radius: number): Point[] {
  return Array.from({ length: 49 }, (_, n): Point => {
    const angle = (n / 24) * Math.PI;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

/** Numbers from -1 to 1 that are the same in every run. */
export function noise(x: number, y: number): number {
  const value = Math.sin(x * 127.1 + y * 311.7) * 43758.5453;
  return 2 * (value - Math.floor(value)) - 1;
}
