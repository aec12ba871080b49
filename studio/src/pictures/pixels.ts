/** Grids of numbers and what is done to pictures with them: no DOM, plain typed arrays. */

export interface Bytes {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface Floats {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

export type Grid = Bytes | Floats;

/** A grid of 0 and 1. */
export type Mask = Bytes;

export function bytes(width: number, height: number, data = new Uint8Array(width * height)): Bytes {
  return { width, height, data };
}

export function floats(width: number, height: number, data = new Float32Array(width * height)): Floats {
  return { width, height, data };
}

/** A mask of the pixels for which `test` holds. */
export function maskOf(grid: Grid, test: (value: number, index: number) => boolean): Mask {
  const out = bytes(grid.width, grid.height);
  for (let i = 0; i < out.data.length; i++) out.data[i] = test(grid.data[i]!, i) ? 1 : 0;
  return out;
}

export function isEmpty(mask: Mask): boolean {
  return !mask.data.includes(1);
}

/** A grid of the same kind and another size, its values 0. */
function blank<G extends Grid>(like: G, width: number, height: number): G {
  return (like.data instanceof Uint8Array ? bytes(width, height) : floats(width, height)) as G;
}

function transposed<G extends Grid>(grid: G): G {
  const { width, height, data } = grid;
  const out = blank(grid, height, width);
  const tile = 32; // both sides of a tile stay in the cache
  for (let top = 0; top < height; top += tile) {
    for (let left = 0; left < width; left += tile) {
      const bottom = Math.min(height, top + tile);
      const right = Math.min(width, left + tile);
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) out.data[x * height + y] = data[y * width + x]!;
      }
    }
  }
  return out;
}

/** `rows` done to the rows, then to the columns. */
function separably<G extends Grid>(grid: G, rows: (grid: G) => G): G {
  return transposed(rows(transposed(rows(grid))));
}

// -- size -------------------------------------------------------------------------------------------------------

type Kernel = "nearest" | "linear" | "cubic" | "area";

interface Taps {
  readonly at: Int32Array;
  readonly weights: Float32Array;
  /** How many there are for each new pixel. */
  readonly count: number;
}

function taps(from: number, to: number, kernel: Kernel): Taps {
  const scale = from / to;
  const count = { nearest: 1, linear: 2, cubic: 4, area: Math.ceil(scale) + 1 }[kernel];
  const at = new Int32Array(to * count);
  const weights = new Float32Array(to * count);
  for (let n = 0; n < to; n++) {
    const middle = (n + 0.5) * scale - 0.5;
    const first = { nearest: n * scale, linear: middle, cubic: middle - 1, area: n * scale }[kernel];
    const start = Math.floor(first + 1e-9);
    const t = middle - Math.floor(middle);
    for (let k = 0; k < count; k++) {
      at[n * count + k] = Math.min(from - 1, Math.max(0, start + k));
      weights[n * count + k] =
        kernel === "nearest"
          ? 1
          : kernel === "linear"
            ? [1 - t, t][k]!
            : kernel === "cubic"
              ? cubic(t + 1 - k)
              : Math.max(0, Math.min(start + k + 1, (n + 1) * scale, from) - Math.max(start + k, n * scale)) / scale;
    }
  }
  return { at, weights, count };
}

/** Keys' kernel with a = -0.75. */
function cubic(distance: number): number {
  const a = -0.75;
  const d = Math.abs(distance);
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

export function resized<G extends Grid>(grid: G, width: number, height: number, kernel: Kernel): G {
  const across = (part: Floats, to: number): Floats => {
    const { at, weights, count } = taps(part.width, to, kernel);
    const out = floats(to, part.height);
    for (let y = 0; y < part.height; y++) {
      for (let x = 0; x < to; x++) {
        let sum = 0;
        for (let k = x * count; k < (x + 1) * count; k++) sum += weights[k]! * part.data[y * part.width + at[k]!]!;
        out.data[y * to + x] = sum;
      }
    }
    return out;
  };
  const out = transposed(across(transposed(across(floatsOf(grid), width)), height));
  return (grid.data instanceof Float32Array ? out : rounded(out)) as G;
}

/** A whole part of the size: at least 1 pixel a side. */
export function reduced<G extends Grid>(grid: G, factor: number, kernel: Kernel): G {
  const side = (length: number) => Math.max(1, Math.round(length / factor));
  return resized(grid, side(grid.width), side(grid.height), kernel);
}

export function floatsOf({ width, height, data }: Grid): Floats {
  return { width, height, data: data instanceof Float32Array ? data : new Float32Array(data) };
}

export function rounded(grid: Floats): Bytes {
  const out = new Uint8ClampedArray(grid.data);
  return bytes(grid.width, grid.height, new Uint8Array(out.buffer));
}

/** A frame around a grid: of one value, or its edge continued or mirrored. */
export function framed<G extends Grid>(grid: G, margin: number, how: number | "edge" | "mirror"): G {
  const { width, height, data } = grid;
  const out = blank(grid, width + 2 * margin, height + 2 * margin);
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) {
      const column = x - margin;
      const row = y - margin;
      const inside = column >= 0 && row >= 0 && column < width && row < height;
      const place = how === "mirror" ? mirrored : clamped;
      out.data[y * out.width + x] =
        inside || typeof how !== "number" ? data[place(row, height) * width + place(column, width)]! : how;
    }
  }
  return out;
}

export function cropped<G extends Grid>(grid: G, left: number, top: number, width: number, height: number): G {
  const out = blank(grid, width, height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * grid.width + left;
    out.data.set(grid.data.subarray(from, from + width), y * width);
  }
  return out;
}

function clamped(index: number, length: number): number {
  return Math.min(length - 1, Math.max(0, index));
}

/** The index inside a row that mirrors at its first and last pixel. */
function mirrored(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((index % period) + period) % period;
  return folded < length ? folded : period - folded;
}

// -- filters ----------------------------------------------------------------------------------------------------

export function blurred(grid: Grid, sigma: number): Floats {
  const reach = Math.max(1, Math.round(3 * sigma));
  const weights = Float32Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-0.5 * ((k - reach) / sigma) ** 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const rows = (part: Floats): Floats => {
    const out = floats(part.width, part.height);
    const line = new Float32Array(part.width + 2 * reach);
    for (let y = 0; y < part.height; y++) {
      for (let x = 0; x < line.length; x++) line[x] = part.data[y * part.width + mirrored(x - reach, part.width)]!;
      for (let x = 0; x < part.width; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * line[x + k]!;
        out.data[y * part.width + x] = sum / total;
      }
    }
    return out;
  };
  return separably(floatsOf(grid), rows);
}

/** Mean over a square; `side` is odd. */
export function averaged(grid: Floats, side: number): Floats {
  const reach = (side - 1) / 2;
  const rows = (part: Floats): Floats => {
    const out = floats(part.width, part.height);
    for (let y = 0; y < part.height; y++) {
      const row = y * part.width;
      let sum = 0;
      for (let k = -reach; k <= reach; k++) sum += part.data[row + mirrored(k, part.width)]!;
      for (let x = 0; x < part.width; x++) {
        out.data[row + x] = sum / side;
        sum += part.data[row + mirrored(x + reach + 1, part.width)]!;
        sum -= part.data[row + mirrored(x - reach, part.width)]!;
      }
    }
    return out;
  };
  return separably(grid, rows);
}

/** Median over a square, by a histogram that slides along each row (Huang 1979); `side` is odd. */
export function median(grid: Bytes, side: number): Bytes {
  const { width, height, data } = grid;
  const reach = (side - 1) / 2;
  const half = (side * side - 1) / 2;
  const out = bytes(width, height);
  const counts = new Int32Array(256);
  const rows = new Int32Array(side);
  for (let y = 0; y < height; y++) {
    for (let k = 0; k < side; k++) rows[k] = clamped(y + k - reach, height) * width;
    counts.fill(0);
    let level = 0;
    let below = 0; // pixels darker than `level`
    for (let x = -reach; x <= reach; x++) for (let k = 0; k < side; k++) counts[data[rows[k]! + clamped(x, width)]!]!++;
    for (let x = 0; x < width; x++) {
      while (below > half) below -= counts[--level]!;
      while (below + counts[level]! <= half) below += counts[level++]!;
      out.data[y * width + x] = level;
      const old = clamped(x - reach, width);
      const next = clamped(x + reach + 1, width);
      for (let k = 0; k < side; k++) {
        const gone = data[rows[k]! + old]!;
        const come = data[rows[k]! + next]!;
        counts[gone]!--;
        counts[come]!++;
        below += (come < level ? 1 : 0) - (gone < level ? 1 : 0);
      }
    }
  }
  return out;
}

/** The nearest odd number that makes a square of at least 3 pixels a side. */
export function oddSide(side: number): number {
  return Math.max(3, 2 * Math.round(side / 2) + 1);
}

/** Largest value over a rectangle whose sides are odd (van Herk 1992). */
export function dilated<G extends Grid>(grid: G, side: number, sideDown = side): G {
  return extreme(grid, side, sideDown, 1);
}

/** Smallest value over a rectangle whose sides are odd. */
export function eroded<G extends Grid>(grid: G, side: number, sideDown = side): G {
  return extreme(grid, side, sideDown, -1);
}

function extreme<G extends Grid>(grid: G, side: number, sideDown: number, sign: 1 | -1): G {
  const along = side > 1 ? extremeOfRows(grid, side, sign) : grid;
  return sideDown > 1 ? transposed(extremeOfRows(transposed(along), sideDown, sign)) : along;
}

function extremeOfRows<G extends Grid>(grid: G, side: number, sign: 1 | -1): G {
  const { width, height, data } = grid;
  const reach = (side - 1) / 2;
  const length = Math.ceil((width + 2 * reach) / side) * side;
  const outside = -1e30;
  const line = new Float32Array(length).fill(outside);
  const ahead = new Float32Array(length);
  const behind = new Float32Array(length);
  const out = blank(grid, width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) line[x + reach] = sign * data[y * width + x]!;
    for (let start = 0; start < length; start += side) {
      ahead[start] = line[start]!;
      for (let x = start + 1; x < start + side; x++) ahead[x] = larger(ahead[x - 1]!, line[x]!);
      behind[start + side - 1] = line[start + side - 1]!;
      for (let x = start + side - 2; x >= start; x--) behind[x] = larger(behind[x + 1]!, line[x]!);
    }
    for (let x = 0; x < width; x++) out.data[y * width + x] = sign * larger(behind[x]!, ahead[x + side - 1]!);
  }
  return out;
}

/** Faster than Math.max, which has to tell 0 from -0. */
function larger(a: number, b: number): number {
  return a > b ? a : b;
}

function smaller(a: number, b: number): number {
  return a < b ? a : b;
}

export function closed<G extends Grid>(grid: G, side: number): G {
  return eroded(dilated(grid, side), side);
}

/** How much darker than the closing over a square each pixel is: dark details. */
export function darkDetails(grid: Bytes, side: number): Bytes {
  const ground = closed(grid, side);
  return bytes(grid.width, grid.height, ground.data.map((value, i) => value - grid.data[i]!));
}

/** How much lighter than the opening over a square each pixel is: light details. */
export function lightDetails(grid: Bytes, side: number): Bytes {
  const ground = dilated(eroded(grid, side), side);
  return bytes(grid.width, grid.height, ground.data.map((value, i) => grid.data[i]! - value));
}

// -- shapes -----------------------------------------------------------------------------------------------------

/** Distance of every set pixel to the nearest one that is not, by a 5 x 5 chamfer (Borgefors 1986). */
export function depthOf(mask: Mask, outsideIsSet = false): Floats {
  const { width, height } = mask;
  const wide = width + 4;
  const far = 1e9;
  const field = new Float32Array(wide * (height + 4)).fill(outsideIsSet ? far : 0);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) field[(y + 2) * wide + x + 2] = mask.data[y * width + x] ? far : 0;
  }
  const pass = (at: number, row: number, side: number) => {
    const corner = smaller(field[at + row - side]!, field[at + row + side]!) + 1.4;
    const flat = smaller(field[at + row - 2 * side]!, field[at + row + 2 * side]!);
    const steep = smaller(field[at + 2 * row - side]!, field[at + 2 * row + side]!);
    const straight = smaller(field[at + row]!, field[at + side]!) + 1;
    field[at] = smaller(smaller(field[at]!, straight), smaller(corner, smaller(flat, steep) + 2.1969));
  };
  for (let y = 2; y < height + 2; y++) {
    for (let at = y * wide + 2; at < y * wide + width + 2; at++) if (field[at]) pass(at, -wide, -1);
  }
  for (let y = height + 1; y > 1; y--) {
    for (let at = y * wide + width + 1; at > y * wide + 1; at--) if (field[at]) pass(at, wide, 1);
  }
  return cropped(floats(wide, height + 4, field), 2, 2, width, height);
}

/** The set pixels that are farther than `depth` from the edge. */
export function core(mask: Mask, depth: number): Mask {
  return maskOf(depthOf(mask), (value) => value > depth);
}

interface Components {
  /** Of each pixel; 0 for those that are not set. */
  readonly labels: Int32Array;
  /** Labels are below it. */
  readonly count: number;
  /** By label; edges inclusive. */
  readonly area: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly top: Int32Array;
  readonly bottom: Int32Array;
}

export function components(mask: Mask, connectivity: 4 | 8): Components {
  const { width, height, data } = mask;
  const labels = new Int32Array(data.length);
  const parent: number[] = [0];
  const root = (label: number): number => {
    while (parent[label] !== label) label = parent[label] = parent[parent[label]!]!;
    return label;
  };
  const joined = (a: number, b: number): number => {
    if (!a || !b || a === b) return a || b;
    const [first, second] = [root(a), root(b)];
    return (parent[Math.max(first, second)] = Math.min(first, second));
  };
  const diagonal = connectivity === 8;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!data[i]) continue;
      const above = y > 0 ? labels[i - width]! : 0;
      let before = x > 0 ? labels[i - 1]! : 0;
      if (!above && diagonal && y > 0) {
        // What is above touches all three of these itself.
        if (!before && x > 0) before = labels[i - width - 1]!;
        if (x < width - 1) before = joined(before, labels[i - width + 1]!);
      }
      let label = above && diagonal ? above : joined(above, before);
      if (!label) {
        label = parent.length;
        parent.push(label);
      }
      labels[i] = label;
    }
  }
  const number = new Int32Array(parent.length);
  let count = 1;
  for (let label = 1; label < parent.length; label++) {
    const found = root(label);
    number[label] = found === label ? count++ : number[found]!;
  }
  const area = new Float64Array(count);
  const left = new Int32Array(count).fill(width);
  const right = new Int32Array(count).fill(-1);
  const top = new Int32Array(count).fill(height);
  const bottom = new Int32Array(count).fill(-1);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const label = (labels[i] = number[labels[i]!]!);
      if (!label) continue;
      area[label]!++;
      if (x < left[label]!) left[label] = x;
      if (x > right[label]!) right[label] = x;
      if (y < top[label]!) top[label] = y;
      if (y > bottom[label]!) bottom[label] = y;
    }
  }
  return { labels, count, area, left, right, top, bottom };
}

/** How many of the set pixels lie in each component. */
export function countsOf(parts: Components, mask: Mask): Float64Array {
  const counts = new Float64Array(parts.count);
  for (let i = 0; i < mask.data.length; i++) if (mask.data[i]) counts[parts.labels[i]!]!++;
  return counts;
}

/** The pixels of the components for which `keep` holds. */
export function selected(parts: Components, width: number, height: number, keep: (label: number) => boolean): Mask {
  const kept = Uint8Array.from({ length: parts.count }, (_, label) => (label > 0 && keep(label) ? 1 : 0));
  const out = bytes(width, height);
  for (let i = 0; i < out.data.length; i++) out.data[i] = kept[parts.labels[i]!]!;
  return out;
}

// -- figures ----------------------------------------------------------------------------------------------------

/** Percentile of a row of numbers, of an even sample where there are very many; 0 of none. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  if (values instanceof Uint8Array) return percentileOfBytes(values, percent);
  const stride = Math.max(1, Math.floor(values.length / 80_000)) | 1;
  const sample = new Float32Array(Math.ceil(values.length / stride));
  for (let n = 0; n < sample.length; n++) sample[n] = values[n * stride]!;
  sample.sort();
  return sample.length ? sample[Math.round((percent / 100) * (sample.length - 1))]! : 0;
}

function percentileOfBytes(values: Uint8Array, percent: number): number {
  const counts = new Uint32Array(256);
  for (let i = 0; i < values.length; i++) counts[values[i]!]!++;
  let left = Math.round((percent / 100) * (values.length - 1));
  let value = 0;
  while (value < 255 && left >= counts[value]!) left -= counts[value++]!;
  return values.length ? value : 0;
}

/** The values at the set pixels. */
export function valuesAt<G extends Grid>(grid: G, mask: Mask): G["data"] {
  const out = blank(grid, mask.width, mask.height).data;
  let count = 0;
  for (let i = 0; i < mask.data.length; i++) if (mask.data[i]) out[count++] = grid.data[i]!;
  return out.subarray(0, count);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length ? sum / values.length : 0;
}

/** The outer 4 % of a picture, one pixel at least. */
export function ringOf(width: number, height: number): Mask {
  return border(width, height, Math.max(1, Math.round(0.04 * Math.min(width, height))));
}

/** The pixels within `depth` of the border. */
export function border(width: number, height: number, depth: number): Mask {
  const out = bytes(width, height, new Uint8Array(width * height).fill(1));
  for (let y = depth; y < height - depth; y++) {
    if (width > 2 * depth) out.data.fill(0, y * width + depth, (y + 1) * width - depth);
  }
  return out;
}
