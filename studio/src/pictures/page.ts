import { blurred, bytes, framed, percentile, resized, ringOf, rounded, valuesAt, type Bytes } from "./pixels";

/** Pixels as a canvas gives them: red, green, blue, alpha, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** Longest side of a page, in pixels; larger pictures are reduced. */
export const PAGE = 1600;

/** Pictures smaller than this are enlarged to it. */
const SMALL_PAGE = 480;

/** Brightness of a picture on its paper; where a drawing differs in hue only, closeness to the paper's colour. */
export function greyOf(pixels: Pixels): Bytes {
  const page = enlarged(onGround(reducedPixels(pixels)));
  const [red, green, blue] = page;
  const grey = bytes(red.width, red.height);
  for (let i = 0; i < grey.data.length; i++) {
    grey.data[i] = Math.round(0.299 * red.data[i]! + 0.587 * green.data[i]! + 0.114 * blue.data[i]!);
  }
  const ring = ringOf(grey.width, grey.height);
  const paper = page.map((plane) => percentile(valuesAt(plane, ring), 50));
  const paperGrey = percentile(valuesAt(grey, ring), 50);
  const hue = bytes(grey.width, grey.height);
  for (let i = 0; i < hue.data.length; i++) {
    hue.data[i] = Math.max(
      Math.abs(red.data[i]! - paper[0]!),
      Math.abs(green.data[i]! - paper[1]!),
      Math.abs(blue.data[i]! - paper[2]!),
    );
  }
  const brightness = grey.data.map((value) => Math.abs(value - paperGrey));
  if (percentile(brightness, 99) >= 0.4 * percentile(hue.data, 99)) return grey;
  return { ...hue, data: hue.data.map((value) => 255 - value) };
}

type Planes = readonly [red: Bytes, green: Bytes, blue: Bytes];

/** By a whole factor, with the mean of each block; colours are weighted by their alpha. */
function reducedPixels(pixels: Pixels): Pixels {
  const factor = Math.ceil(Math.max(pixels.width, pixels.height) / PAGE);
  if (factor === 1) return pixels;
  const width = Math.ceil(pixels.width / factor);
  const height = Math.ceil(pixels.height / factor);
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let alpha = 0;
      let count = 0;
      for (let row = y * factor; row < Math.min(pixels.height, (y + 1) * factor); row++) {
        for (let column = x * factor; column < Math.min(pixels.width, (x + 1) * factor); column++) {
          const i = 4 * (row * pixels.width + column);
          const weight = pixels.data[i + 3]!;
          red += weight * pixels.data[i]!;
          green += weight * pixels.data[i + 1]!;
          blue += weight * pixels.data[i + 2]!;
          alpha += weight;
          count++;
        }
      }
      const whole = Math.max(1, alpha);
      data.set([red / whole, green / whole, blue / whole, alpha / count], 4 * (y * width + x));
    }
  }
  return { width, height, data };
}

/** On white, or on black where all that can be seen is nearly white. */
function onGround({ width, height, data }: Pixels): Planes {
  const seen: number[] = [];
  const step = 4 * Math.max(1, Math.floor((width * height) / 500_000));
  let opaque = true;
  for (let i = 3; i < data.length; i += 4) opaque &&= data[i] === 255;
  for (let i = 0; i < data.length && !opaque; i += step) {
    if (data[i + 3]! > 127) seen.push(0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!);
  }
  const ground = percentile(seen, 2) > 190 ? 0 : 255;
  const plane = (channel: number): Bytes => {
    const out = bytes(width, height);
    for (let n = 0, i = 0; n < out.data.length; n++, i += 4) {
      const alpha = data[i + 3]! / 255;
      out.data[n] = Math.round(data[i + channel]! * alpha + ground * (1 - alpha));
    }
    return out;
  };
  return [plane(0), plane(1), plane(2)];
}

/** Narrow pictures get more paper around them, small ones more pixels. */
function enlarged(page: Planes): Planes {
  const narrow = Math.max(0, 48 - Math.min(page[0].width, page[0].height));
  const plane = (given: Bytes): Bytes => {
    const ground = percentile(valuesAt(given, ringOf(given.width, given.height)), 50);
    const wide = narrow ? framed(given, narrow, ground) : given;
    const longest = Math.max(wide.width, wide.height);
    if (longest >= SMALL_PAGE) return wide;
    const scale = Math.min(16, SMALL_PAGE / longest);
    const size = (side: number) => Math.max(1, Math.round(side * scale));
    return rounded(blurred(resized(wide, size(wide.width), size(wide.height), "cubic"), 0.4 * scale));
  };
  return [plane(page[0]), plane(page[1]), plane(page[2])];
}
