import { NO_DRAWING, PictureError } from "./errors";
import { contrastOf, continued, findSheet, inkOf, inverted, isLightOnDark, type Contrast } from "./light";
import {
  blurred,
  border,
  bytes,
  components,
  core,
  countsOf,
  cropped,
  depthOf,
  dilated,
  eroded,
  floatsOf,
  framed,
  isEmpty,
  maskOf,
  mean,
  percentile,
  resized,
  selected,
  valuesAt,
  type Bytes,
  type Floats,
  type Mask,
} from "./pixels";

/** Longest side of the cropped drawing when its lines are followed: 8 pixels for each of a 48 x 48 raster. */
const SIDE = 400;

/** The ink of the drawing in a grey page: cropped, scaled to a longest side of `SIDE`, a free margin around it. */
export function drawingInk(page: Bytes): Mask {
  const sheet = findSheet(page);
  const grey = sheet ? continued(page, sheet) : isLightOnDark(page) ? inverted(page) : page;
  if (spread(grey) < 8) {
    throw new PictureError("This picture is blank: it is all of one colour.");
  }
  const found = contrastOf(grey);
  let ink = inkOf(found);
  let fills = found.fills;
  if (sheet) {
    ink = onSheet(ink, sheet);
    fills = both(fills, sheet);
  }
  ink = withoutRuling(ink, found);
  ink = either(ink, plainOrOutlined(fills, ink));
  ink = withoutSpecks(withoutFrame(ink), found.contrast);
  if (isEmpty(ink) || isDust(ink, percentile(found.noise.data, 50))) throw new PictureError(NO_DRAWING);
  return withoutFills(scaled(ink));
}

function spread({ data }: Bytes): number {
  let low = 255;
  let high = 0;
  for (let i = 0; i < data.length; i++) {
    low = Math.min(low, data[i]!);
    high = Math.max(high, data[i]!);
  }
  return high - low;
}

function both(a: Mask, b: Mask): Mask {
  return { ...a, data: a.data.map((value, i) => value & b.data[i]!) };
}

function either(a: Mask, b: Mask): Mask {
  return { ...a, data: a.data.map((value, i) => value | b.data[i]!) };
}

function without(a: Mask, b: Mask): Mask {
  return { ...a, data: a.data.map((value, i) => value & (1 - b.data[i]!)) };
}

function longestSide(mask: Mask): number {
  return Math.max(mask.width, mask.height);
}

/** Typical width of a line, in pixels: twice the median distance from the ridges of the ink to its edge. */
function lineWidth(ink: Mask): number {
  const depth = depthOf(ink);
  const highest = dilated(depth, 3);
  const ridge = maskOf(ink, (value, i) => value === 1 && depth.data[i]! >= highest.data[i]!);
  return isEmpty(ridge) ? 1 : 2 * percentile(valuesAt(depth, ridge), 50) - 1;
}

/** Filled areas as ink: whole where nothing is drawn on them, else a band along their outline. */
function plainOrOutlined(fills: Mask, ink: Mask): Mask {
  if (isEmpty(fills)) return fills;
  const band = Math.max(3, lineWidth(ink));
  const parts = components(fills, 4);
  const drawnOn = countsOf(parts, both(ink, core(fills, 3 * band)));
  const inner = core(fills, band);
  return maskOf(fills, (value, i) => value === 1 && !(drawnOn[parts.labels[i]!]! > 0 && inner.data[i]));
}

/** Ink on the sheet, without what lies along its edge: curled paper and its shade. */
function onSheet(ink: Mask, sheet: Mask): Mask {
  const parts = components(both(ink, sheet), 8);
  const alongEdge = countsOf(parts, without(sheet, core(sheet, 0.03 * longestSide(sheet))));
  return selected(parts, ink.width, ink.height, (label) => alongEdge[label]! < 0.3 * parts.area[label]!);
}

// -- ruled paper ------------------------------------------------------------------------------------------------

/** Ink without the lines of ruled or squared paper: parallel straight lines, evenly apart, across the page. */
function withoutRuling(ink: Mask, { contrast, noise }: Contrast): Mask {
  const { width, height } = ink;
  const line = lineWidth(ink);
  if (line > 0.01 * longestSide(ink)) return ink;
  const thickness = Math.ceil(line) + 3;
  // Ruling is long enough to be seen where no point of it is sure.
  const faint = maskOf(contrast, (value, i) => value > Math.max(2 * noise.data[i]!, 0.02));
  let cleaned = ink;
  for (const [across, along, tilt] of [[height, width, Math.PI / 2], [width, height, 0]] as const) {
    const ruling = evenlyApart(straightLines(faint, tilt, Math.floor(0.4 * along)), across);
    if (ruling.length < 5) continue;
    const ruled = drawnLines(ruling, width, height, thickness);
    // Lines of the drawing end; ruling crosses the page.
    if (mean(valuesAt(faint, ruled)) < (0.4 * line) / thickness) continue;
    const length = 2 * thickness + 1;
    const [side, sideDown] = tilt > 0 ? [1, length] : [length, 1];
    const crossing = dilated(eroded(ink, side, sideDown), side, sideDown);
    const dark = 1.6 * percentile(valuesAt(contrast, both(ink, ruled)), 50);
    cleaned = maskOf(
      cleaned,
      (value, i) => value === 1 && (!ruled.data[i] || crossing.data[i] === 1 || contrast.data[i]! > dark),
    );
  }
  return cleaned;
}

interface Line {
  /** x cos(theta) + y sin(theta) = rho. */
  readonly rho: number;
  readonly theta: number;
}

/** Straight lines of at least `votes` pixels within 0.1 radians of a tilt, the longest first (Duda & Hart 1972). */
function straightLines(mask: Mask, tilt: number, votes: number): Line[] {
  const { width, height, data } = mask;
  const step = Math.PI / 720;
  const angles = 2 * Math.floor(0.1 / step) + 1;
  const offset = Math.ceil(Math.hypot(width, height)) + 1;
  const wide = 2 * offset + 1;
  const table = new Int32Array((angles + 2) * wide);
  const thetas = Array.from({ length: angles }, (_, n) => tilt + (n - (angles - 1) / 2) * step);
  const cosines = Float32Array.from(thetas, Math.cos);
  const sines = Float32Array.from(thetas, Math.sin);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!data[i]) continue;
      for (let n = 0; n < angles; n++) {
        table[(n + 1) * wide + Math.round(x * cosines[n]! + y * sines[n]!) + offset]!++;
      }
    }
  }
  const found: (Line & { count: number })[] = [];
  for (let n = 0; n < angles; n++) {
    for (let r = 1; r < wide - 1; r++) {
      const at = (n + 1) * wide + r;
      const count = table[at]!;
      if (count <= votes) continue;
      const first = count > table[at - 1]! && count > table[at - wide]!;
      if (first && count >= table[at + 1]! && count >= table[at + wide]!) {
        found.push({ rho: r - offset, theta: thetas[n]!, count });
      }
    }
  }
  return found.sort((a, b) => b.count - a.count).slice(0, 1000);
}

/** The ruling that the lines found, longest first, are part of, over the whole page; none where they are no ruling. */
function evenlyApart(found: readonly Line[], across: number): Line[] {
  const theta = percentile(found.slice(0, 40).map((line) => line.theta), 50);
  const distinct: number[] = [];
  for (const line of found) {
    const apart = distinct.every((rho) => Math.abs(line.rho - rho) >= 0.012 * across);
    if (Math.abs(line.theta - theta) < Math.PI / 300 && apart) distinct.push(line.rho);
  }
  if (distinct.length < 5) return [];
  const rhos = distinct.sort((a, b) => a - b);
  let pitch = percentile(rhos.slice(1).map((rho, n) => rho - rhos[n]!), 50);
  let start = rhos[Math.floor(rhos.length / 2)]!;
  // Two rounds of least squares over the line numbers, as the first pitch is only about right.
  for (const reach of [4, Infinity]) {
    const pairs = rhos.map((rho) => [Math.round((rho - start) / pitch), rho] as const);
    [pitch, start] = straightFit(pairs.filter(([number]) => Math.abs(number) <= reach));
  }
  const onPitch = rhos.filter((rho) => {
    const off = rho - start - pitch * Math.round((rho - start) / pitch);
    return Math.abs(off) < 0.15 * pitch;
  });
  if (!(pitch > 0) || onPitch.length < 0.8 * rhos.length) return [];
  const steps = Math.ceil((1.5 * across) / pitch);
  const everywhere = Array.from({ length: 2 * steps + 1 }, (_, n) => start + pitch * (n - steps));
  return [...everywhere, ...onPitch].map((rho) => ({ rho, theta }));
}

/** Slope and intercept by least squares. */
function straightFit(pairs: readonly (readonly [x: number, y: number])[]): [slope: number, intercept: number] {
  const x = mean(pairs.map((pair) => pair[0]));
  const y = mean(pairs.map((pair) => pair[1]));
  const spread = pairs.reduce((sum, pair) => sum + (pair[0] - x) ** 2, 0);
  const slope = pairs.reduce((sum, pair) => sum + (pair[0] - x) * (pair[1] - y), 0) / spread;
  return [slope, y - slope * x];
}

/** The pixels of parallel lines of a thickness. */
function drawnLines(lines: readonly Line[], width: number, height: number, thickness: number): Mask {
  const fine = 4;
  const offset = Math.ceil(Math.hypot(width, height));
  const covered = new Uint8Array(2 * offset * fine + 1);
  for (const { rho } of lines) {
    const from = Math.max(0, Math.round((rho - thickness / 2 + offset) * fine));
    const to = Math.min(covered.length, Math.round((rho + thickness / 2 + offset) * fine) + 1);
    if (from < to) covered.fill(1, from, to);
  }
  const cosine = Math.cos(lines[0]!.theta);
  const sine = Math.sin(lines[0]!.theta);
  const out = bytes(width, height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      out.data[i] = covered[Math.round((x * cosine + y * sine + offset) * fine)] ?? 0;
    }
  }
  return out;
}

// -- what is no drawing -----------------------------------------------------------------------------------------

/** Ink without what runs along the picture's border (a table's edge, a frame), if a drawing remains. */
function withoutFrame(ink: Mask): Mask {
  const { width, height } = ink;
  const parts = components(ink, 8);
  const hugging = countsOf(parts, border(width, height, Math.floor(Math.max(2, 0.025 * longestSide(ink))) + 1));
  const touching = countsOf(parts, border(width, height, 1));
  const isEdge = (label: number): boolean => {
    const across = parts.right[label]! - parts.left[label]! + 1;
    const down = parts.bottom[label]! - parts.top[label]! + 1;
    const long = across > 0.35 * width || down > 0.35 * height;
    const wide = across > 0.9 * width && down > 0.9 * height;
    const touch = touching[label]!;
    const hugs = hugging[label]! > 0.8 * parts.area[label]!;
    return (hugs && long && (wide || touch > 0.3 * Math.min(width, height))) || touch > 0.5 * (width + height);
  };
  const rest = selected(parts, width, height, (label) => !isEdge(label));
  const box = boundsOf(rest);
  return box && Math.max(box.right - box.left, box.bottom - box.top) >= 0.2 * longestSide(ink) ? rest : ink;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Edges of what is set, inclusive; null where nothing is. */
function boundsOf({ width, height, data }: Mask): Box | null {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!data[i]) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? null : { left, top, right, bottom };
}

/** Ink without dust: small pieces stay where they are as dark as the lines, not tiny, and within the drawing. */
function withoutSpecks(ink: Mask, contrast: Floats): Mask {
  const parts = components(ink, 8);
  if (parts.count <= 1) return ink;
  const labels = Array.from({ length: parts.count - 1 }, (_, n) => n + 1);
  const extent = new Float64Array(parts.count);
  const darkness = new Float64Array(parts.count);
  for (let i = 0; i < ink.data.length; i++) darkness[parts.labels[i]!]! += contrast.data[i]!;
  for (const label of labels) {
    const { left, right, top, bottom } = parts;
    extent[label] = Math.max(right[label]! - left[label]!, bottom[label]! - top[label]!) + 1;
    darkness[label]! /= parts.area[label]!;
  }
  const largest = extent.reduce((most, value) => Math.max(most, value), 0);
  const width = lineWidth(selected(parts, ink.width, ink.height, (label) => extent[label]! > 0.25 * largest));
  const long = Math.max(Math.min(4 * width, 0.4 * largest), 0.08 * largest);
  const lines = labels.filter((label) => extent[label]! > long);
  const lineDarkness = percentile(lines.map((label) => darkness[label]!), 50);
  const least = (of: Int32Array) => lines.reduce((least, label) => Math.min(least, of[label]!), Infinity);
  const most = (of: Int32Array) => lines.reduce((most, label) => Math.max(most, of[label]!), 0);
  const [left, top, right, bottom] = [least(parts.left), least(parts.top), most(parts.right), most(parts.bottom)];
  const room = 0.1 * Math.max(right - left, bottom - top);
  const isDot = (label: number): boolean => {
    const x = (parts.left[label]! + parts.right[label]!) / 2;
    const y = (parts.top[label]! + parts.bottom[label]!) / 2;
    const inside = x > left - room && x < right + room && y > top - room && y < bottom + room;
    const solid = parts.area[label]! > 0.4 * width ** 2 && extent[label]! > 0.6 * width;
    return inside && solid && darkness[label]! > 0.5 * lineDarkness;
  };
  return selected(parts, ink.width, ink.height, (label) => extent[label]! > long || isDot(label));
}

/** Whether there is nothing but dots, more than a clean picture of dots would hold. */
function isDust(ink: Mask, noise: number): boolean {
  const parts = components(ink, 8);
  let largest = 0;
  for (let label = 1; label < parts.count; label++) {
    const across = parts.right[label]! - parts.left[label]! + 1;
    largest = Math.max(largest, across, parts.bottom[label]! - parts.top[label]! + 1);
  }
  return largest < 0.025 * longestSide(ink) && (parts.count > 12 || noise > 0.002);
}

// -- ready for tracing ------------------------------------------------------------------------------------------

function scaled(ink: Mask): Mask {
  const box = boundsOf(ink)!;
  const tight = cropped(ink, box.left, box.top, box.right - box.left + 1, box.bottom - box.top + 1);
  const scale = Math.min(8, SIDE / longestSide(tight));
  const width = lineWidth(tight);
  let picture: Mask = framed(tight, Math.ceil(6 / scale), 0);
  if (scale < 1 && width * scale < 3) {
    const grow = Math.round((3 / scale - width) / 2);
    const away = depthOf(maskOf(picture, (value) => value === 0), true);
    picture = maskOf(away, (value) => value <= grow);
  }
  const size = (side: number) => Math.max(1, Math.round(side * scale));
  const kernel = scale < 1 ? "area" : "linear";
  const smooth = resized(floatsOf(picture), size(picture.width), size(picture.height), kernel);
  return maskOf(scale < 1 ? smooth : blurred(smooth, 0.35 * scale), (value) => value > 0.5);
}

/** Areas much thicker than the lines become a band along their outline. */
function withoutFills(ink: Mask): Mask {
  const width = Math.min(lineWidth(ink), 0.085 * SIDE);
  const reach = Math.max(width, 0.035 * SIDE);
  const thick = core(ink, reach);
  if (isEmpty(thick)) return ink;
  const away = depthOf(maskOf(thick, (value) => value === 0), true);
  const area = maskOf(ink, (value, i) => value === 1 && away.data[i]! <= reach);
  const inner = core(area, Math.min(Math.max(3, width), 0.6 * reach));
  return maskOf(ink, (value, i) => value === 1 && !inner.data[i]);
}
