import {
  averaged,
  blurred,
  border,
  bytes,
  closed,
  components,
  core,
  countsOf,
  cropped,
  darkDetails,
  depthOf,
  dilated,
  eroded,
  floats,
  floatsOf,
  framed,
  isEmpty,
  lightDetails,
  maskOf,
  mean,
  median,
  oddSide,
  percentile,
  reduced,
  resized,
  ringOf,
  rounded,
  selected,
  valuesAt,
  type Bytes,
  type Floats,
  type Mask,
} from "./pixels";

// -- polarity ---------------------------------------------------------------------------------------------------

/** Whether lines are lighter than the ground: by an even border if there is one, else by the thin details. */
export function isLightOnDark(grey: Bytes): boolean {
  const low = percentile(grey.data, 0.5);
  const high = percentile(grey.data, 99.5);
  const ring = valuesAt(grey, ringOf(grey.width, grey.height));
  const ground = percentile(ring, 50);
  const reach = 0.12 * (high - low);
  const even = mean(ring.map((value) => (Math.abs(value - ground) <= reach ? 1 : 0))) > 0.7;
  if (even && Math.min(ground - low, high - ground) <= reach) return ground - low < high - ground;
  const calm = median(reduced(grey, Math.max(1, Math.max(grey.width, grey.height) / 640), "area"), 3);
  // The fourth power hears lines, not texture.
  const power = ({ data }: Bytes) => data.reduce((sum, value) => sum + value ** 4, 0) / data.length;
  let verdict = 0;
  for (const details of [100, 48, 24]) {
    const side = oddSide(Math.max(calm.width, calm.height) / details);
    const ratio = Math.log((power(lightDetails(calm, side)) + 10) / (power(darkDetails(calm, side)) + 10));
    if (Math.abs(ratio) > Math.abs(verdict)) verdict = ratio;
  }
  return verdict > 0;
}

export function inverted(grey: Bytes): Bytes {
  return { ...grey, data: grey.data.map((value) => 255 - value) };
}

// -- a sheet on a table -----------------------------------------------------------------------------------------

/** A bright sheet on a dark table with marks on it, without its edge; null where there is none. */
export function findSheet(grey: Bytes): Mask | null {
  const small = median(reduced(grey, 4, "area"), 5);
  const low = percentile(small.data, 2);
  const high = percentile(small.data, 98);
  if (high - low < 40) return null;
  let best: Mask | null = null;
  let largest = 0;
  for (let n = 1; n < 13; n++) {
    const sheet = sheetAt(small, low + ((high - low) * n) / 13); // one level parts the table from the shaded side
    const size = sheet ? mean(sheet.data) : 0;
    if (size > largest) {
      largest = size;
      best = sheet;
    }
  }
  if (!best) return null;
  const longest = Math.max(small.width, small.height);
  const inside = core(best, 0.02 * longest);
  const marks = valuesAt(darkDetails(small, oddSide(longest / 12)), inside);
  return percentile(marks, 99.5) < 12 ? null : resized(inside, grey.width, grey.height, "nearest");
}

type Corner = readonly [x: number, y: number];

/** The largest area brighter than a level, where it has the shape and the sharp edge of a sheet of paper. */
function sheetAt(small: Bytes, level: number): Mask | null {
  const { width, height } = small;
  const bright = maskOf(small, (value) => value > level);
  if (mean(valuesAt(bright, ringOf(width, height))) > 0.9) return null;
  const shape = largestWithoutHoles(bright);
  if (!shape) return null;
  const outline: Corner[] = [];
  let area = -1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!shape.data[i]) continue;
      const edge =
        x === 0 || y === 0 || x === width - 1 || y === height - 1 ||
        !(shape.data[i - 1]! & shape.data[i + 1]! & shape.data[i - width]! & shape.data[i + width]!);
      area += edge ? 0.5 : 1; // Pick's theorem: the area of the polygon through the middles of the outer pixels
      if (edge) outline.push([x, y]);
    }
  }
  if (!(area > 0.15 * width * height && area < 0.97 * width * height)) return null;
  const hull = hullOf(outline);
  const corners = cornersOf(hull, 0.03 * perimeter(hull));
  if (corners.length > 6 || area < 0.965 * areaOf(hull)) return null;
  const sheet = filled(hull, width, height);
  if (mean(valuesAt(bright, sheet)) < 0.7) return null;
  const angles = rightAngles(corners, width, height, 0.03 * Math.max(width, height));
  if (angles === 0) return null;
  const sharp = mean(sharpEdges(small, outlineOf(sheet)).flags);
  return sharp > (angles === 1 ? 0.92 : 0.85) ? sheet : null;
}

function largestWithoutHoles(mask: Mask): Mask | null {
  const { width, height } = mask;
  const holes = components(maskOf(mask, (value) => value === 0), 4);
  const outside = countsOf(holes, border(width, height, 1));
  const whole = bytes(width, height);
  for (let i = 0; i < whole.data.length; i++) whole.data[i] = outside[holes.labels[i]!]! > 0 && !mask.data[i] ? 0 : 1;
  const parts = components(whole, 8);
  let best = 0;
  for (let label = 1; label < parts.count; label++) if (parts.area[label]! > (parts.area[best] ?? 0)) best = label;
  return best ? selected(parts, width, height, (label) => label === best) : null;
}

/** The convex hull of points, counter-clockwise (Andrew 1979). */
function hullOf(points: Corner[]): Corner[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (ordered: readonly Corner[]): Corner[] => {
    const chain: Corner[] = [];
    for (const point of ordered) {
      while (chain.length > 1 && cross(chain[chain.length - 2]!, chain[chain.length - 1]!, point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

function cross(a: Corner, b: Corner, c: Corner): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

function areaOf(polygon: readonly Corner[]): number {
  let twice = 0;
  polygon.forEach(([x, y], n) => {
    const [nextX, nextY] = polygon[(n + 1) % polygon.length]!;
    twice += x * nextY - nextX * y;
  });
  return Math.abs(twice) / 2;
}

function perimeter(polygon: readonly Corner[]): number {
  return polygon.reduce((sum, [x, y], n) => {
    const [nextX, nextY] = polygon[(n + 1) % polygon.length]!;
    return sum + Math.hypot(nextX - x, nextY - y);
  }, 0);
}

/** A polygon's corners within a tolerance (Ramer 1972), beginning with the two that are farthest apart. */
function cornersOf(polygon: readonly Corner[], tolerance: number): Corner[] {
  const farthestFrom = (from: number): number => {
    const away = polygon.map((point) => distance(point, polygon[from]!));
    return away.indexOf(Math.max(...away));
  };
  const a = farthestFrom(farthestFrom(0));
  const b = farthestFrom(a);
  const between = (from: number, to: number): Corner[] => {
    let worst = tolerance;
    let split = -1;
    const start = polygon[from]!;
    const end = polygon[to]!;
    for (let n = (from + 1) % polygon.length; n !== to; n = (n + 1) % polygon.length) {
      const off = Math.abs(cross(start, end, polygon[n]!)) / Math.max(1e-9, distance(start, end));
      if (off > worst) {
        worst = off;
        split = n;
      }
    }
    return split < 0 ? [start] : [...between(from, split), ...between(split, to)];
  };
  return a === b ? [polygon[a]!] : [...between(a, b), ...between(b, a)];
}

function distance(a: Corner, b: Corner): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** How many corners a polygon has inside the picture; 0 where one is no right angle, as beside a shadow. */
function rightAngles(corners: readonly Corner[], width: number, height: number, clear: number): number {
  let count = 0;
  for (const [n, corner] of corners.entries()) {
    const [x, y] = corner;
    if (Math.min(x, y, width - 1 - x, height - 1 - y) <= clear) continue;
    const before = corners[(n + corners.length - 1) % corners.length]!;
    const after = corners[(n + 1) % corners.length]!;
    const along = (before[0] - x) * (after[0] - x) + (before[1] - y) * (after[1] - y);
    if (Math.abs(along) > 0.5 * distance(before, corner) * distance(after, corner)) return 0;
    count++;
  }
  return count;
}

/** The pixels in a convex polygon, its edge included. */
function filled(hull: readonly Corner[], width: number, height: number): Mask {
  const out = bytes(width, height);
  const left = new Float32Array(height).fill(Infinity);
  const right = new Float32Array(height).fill(-Infinity);
  hull.forEach(([x, y], n) => {
    const [nextX, nextY] = hull[(n + 1) % hull.length]!;
    for (let row = Math.min(y, nextY); row <= Math.max(y, nextY); row++) {
      const at = nextY === y ? [x, nextX] : [x + ((nextX - x) * (row - y)) / (nextY - y)];
      left[row] = Math.min(left[row]!, ...at);
      right[row] = Math.max(right[row]!, ...at);
    }
  });
  for (let y = 0; y < height; y++) {
    const row = y * width;
    if (left[y]! <= right[y]!) out.data.fill(1, row + Math.round(left[y]!), row + Math.round(right[y]!) + 1);
  }
  return out;
}

/** The outermost pixels of an area, without those at the picture's border. */
function outlineOf(area: Mask): Mask {
  const depth = depthOf(area);
  const edge = border(area.width, area.height, 1);
  return maskOf(area, (value, i) => value === 1 && depth.data[i]! <= 1.5 && !edge.data[i]);
}

/** The pixels of an outline, and of each whether brightness jumps there, as it does at a sheet or a fill. */
function sharpEdges(grey: Bytes, outline: Mask): { places: Int32Array; flags: Uint8Array } {
  const side = oddSide(0.03 * Math.max(grey.width, grey.height));
  const low = eroded(grey, side);
  const high = dilated(grey, side);
  const places: number[] = [];
  for (let i = 0; i < outline.data.length; i++) if (outline.data[i]) places.push(i);
  return {
    places: Int32Array.from(places),
    flags: Uint8Array.from(places, (i) => (low.data[i]! < 0.8 * high.data[i]! ? 1 : 0)),
  };
}

/** The picture with the light of the sheet continued over what is around it. */
export function continued(grey: Bytes, sheet: Mask): Bytes {
  const small = median(reduced(grey, 16, "area"), 3);
  const { width, height } = small;
  const shown = resized(sheet, width, height, "nearest");
  const unknown = dilated(maskOf(shown, (value) => value === 0), 3);
  const light = floatsOf(small);
  let missing = [...unknown.data.keys()].filter((i) => unknown.data[i]);
  while (missing.length && missing.length < light.data.length) {
    const found = new Map<number, number>();
    for (const i of missing) {
      const near: number[] = [];
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const x = (i % width) + dx;
          const y = Math.floor(i / width) + dy;
          const j = y * width + x;
          if (x >= 0 && y >= 0 && x < width && y < height && !unknown.data[j]) near.push(light.data[j]!);
        }
      }
      if (near.length) found.set(i, mean(near));
    }
    if (!found.size) break;
    for (const [i, value] of found) {
      light.data[i] = value;
      unknown.data[i] = 0;
    }
    missing = missing.filter((i) => !found.has(i));
  }
  const whole = rounded(resized(light, grey.width, grey.height, "linear"));
  return { ...grey, data: whole.data.map((value, i) => (sheet.data[i] ? grey.data[i]! : value)) };
}

// -- contrast ---------------------------------------------------------------------------------------------------

export interface Contrast {
  /** Darkness against the paper, 0 to 1. */
  readonly contrast: Floats;
  readonly noise: Floats;
  /** Areas too large to stand out from the paper. */
  readonly fills: Mask;
}

export function contrastOf(grey: Bytes): Contrast {
  const { width, height } = grey;
  const calm = rounded(blurred(grey, 0.7 + Math.min(1.3, noiseOf(grey) / 5)));
  const reach = Math.round(0.15 * Math.max(width, height));
  // A closing keeps the edge of a shadow where it is: no ink appears along it, as it would after a blur. The margin
  // continues the light, without lines, beyond the border, where a closing would brighten a slope.
  const small = reduced(calm, 8, "area");
  const even = cropped(median(framed(small, 4, "mirror"), 9), 4, 4, small.width, small.height);
  const wide = framed(resized(even, width, height, "linear"), reach, "edge");
  const inside = median(calm, 5);
  for (let y = 0; y < height; y++) {
    wide.data.set(inside.data.subarray(y * width, (y + 1) * width), (y + reach) * wide.width + reach);
  }
  const paper = cropped(closed(wide, oddSide(reach)), reach, reach, width, height);
  const contrast = floats(width, height);
  for (let i = 0; i < contrast.data.length; i++) {
    contrast.data[i] = (paper.data[i]! - calm.data[i]!) / Math.max(32, paper.data[i]!);
  }
  const uneven = localMedian(contrast); // what the closing left of uneven light
  for (let i = 0; i < contrast.data.length; i++) contrast.data[i]! -= uneven.data[i]!;
  const noise = localMedian({ ...contrast, data: contrast.data.map(Math.abs) });
  // Where ink covers half of the ground it is no noise.
  const most = (2.5 * percentile(noise.data, 50)) / 0.6745;
  for (let i = 0; i < noise.data.length; i++) noise.data[i] = Math.min(noise.data[i]! / 0.6745, most);
  return { contrast, noise, fills: plateaus(paper) };
}

/** Median over about a tenth of the picture, of values of at most 0.1: ground, not ink. */
function localMedian(values: Floats): Floats {
  const small = reduced(values, 4, "nearest");
  const levels = bytes(small.width, small.height);
  for (let i = 0; i < levels.data.length; i++) levels.data[i] = Math.min(0.1, Math.max(0, small.data[i]!)) * 2550;
  const local = median(levels, 2 * Math.round(0.05 * Math.max(small.width, small.height)) + 1);
  const scaled = floats(local.width, local.height, Float32Array.from(local.data, (value) => value / 2550));
  return resized(scaled, values.width, values.height, "linear");
}

/** Standard deviation of the pixel noise, in grey levels (Immerkaer's Laplacian, robust). */
function noiseOf({ width, height, data }: Bytes): number {
  const out = new Float32Array(Math.max(0, (width - 2) * (height - 2)));
  let n = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      const side = data[i - 1]! + data[i + 1]! + data[i - width]! + data[i + width]!;
      const corner = data[i - width - 1]! + data[i - width + 1]! + data[i + width - 1]! + data[i + width + 1]!;
      out[n++] = Math.abs(corner - 2 * side + 4 * data[i]!) / 6;
    }
  }
  return percentile(out, 50) / 0.6745;
}

/** Filled areas: parts of the ground much darker than around them that do not reach the border, as shadows do. */
function plateaus(paper: Bytes): Mask {
  const { width, height } = paper;
  const small = reduced(paper, 8, "nearest");
  const ground = closed(small, oddSide(0.75 * Math.max(small.width, small.height)));
  const around = resized(ground, width, height, "linear");
  const dark = maskOf(paper, (value, i) => value < 0.8 * around.data[i]!);
  if (isEmpty(dark)) return dark;
  const parts = components(dark, 4);
  const touching = countsOf(parts, border(width, height, 1));
  const { places, flags } = sharpEdges(paper, outlineOf(dark));
  const edge = new Float64Array(parts.count);
  const sharp = new Float64Array(parts.count);
  for (const [n, place] of places.entries()) {
    const label = parts.labels[place]!;
    edge[label]!++;
    sharp[label]! += flags[n]!;
  }
  return selected(
    parts,
    width,
    height,
    (label) => label < 50 && touching[label]! < 0.3 * (width + height) && sharp[label]! > 0.85 * edge[label]!,
  );
}

/** Ink by a threshold that follows the darkest ink near by, so that a faint line stays and a gap does not fill. */
export function inkOf({ contrast, noise }: Contrast): Mask {
  const { width, height } = contrast;
  const least = Math.max(0.1 * percentile(contrast.data, 99.8), 0.03);
  const side = oddSide(0.02 * Math.max(width, height));
  const near = averaged(dilated(contrast, side), side);
  const floor = (i: number) => Math.max(3.2 * noise.data[i]!, least);
  const weak = maskOf(contrast, (value, i) => value > Math.max(floor(i), 0.42 * near.data[i]!));
  const parts = components(weak, 8);
  const seeds = countsOf(parts, maskOf(contrast, (value, i) => value > 1.6 * floor(i)));
  return selected(parts, width, height, (label) => seeds[label]! > 0);
}
