import { boundsOf } from "../core/geometry";
import { depthOf, percentile, valuesAt, type Floats, type Mask } from "./pixels";

/** A point in pixels. */
type Place = readonly [x: number, y: number];
export type Path = readonly Place[];

/** A branch's number, and 0 for its first end or 1 for its last. */
type End = readonly [branch: number, which: 0 | 1];

/** A stretch of skeleton without forks. */
interface Branch {
  /** The nodes at its ends; both -1 for a loop of its own. */
  readonly ends: readonly [number, number];
  /** From the first end to the second, both included. */
  readonly path: Path;
}

/** Centre lines as a graph. */
interface Skeleton {
  readonly nodes: readonly Place[];
  /** Half the width of the ink at each node. */
  readonly radius: readonly number[];
  readonly branches: readonly Branch[];
  readonly dots: readonly Path[];
}

interface Tracing {
  readonly lines: readonly Path[];
  /** Width of the strokes. */
  readonly width: number;
}

/** Centre lines of the ink, as long as their direction allows, longest first, in an order that a hand would take. */
export function strokesOf(ink: Mask): Path[] {
  return inDrawingOrder(joinGaps(trace(ink)));
}

function trace(ink: Mask): Tracing {
  const thin = thinned(ink);
  const depth = depthOf(ink);
  const width = 2 * percentile(valuesAt(depth, thin), 50) || 1;
  const skeleton = pruned(contracted(graphOf(thin, depth)));
  return { lines: [...chains(skeleton, width).map((line) => smooth(line)), ...skeleton.dots], width };
}

// -- thinning ---------------------------------------------------------------------------------------------------

/** The ink thinned to lines of one pixel (Guo & Hall 1989). Its border is taken for paper. */
function thinned({ width, height, data }: Mask): Mask {
  const field = Uint8Array.from(data);
  for (let x = 0; x < width; x++) field[x] = field[(height - 1) * width + x] = 0;
  for (let y = 0; y < height; y++) field[y * width] = field[y * width + width - 1] = 0;
  let ink: number[] = [];
  for (let i = 0; i < field.length; i++) if (field[i]) ink.push(i);
  for (let odd = 0, unchanged = 0; unchanged < 2; odd ^= 1) {
    const gone = ink.filter((i) => {
      const [p2, p3, p4, p5] = [field[i - width]!, field[i - width + 1]!, field[i + 1]!, field[i + width + 1]!];
      const [p6, p7, p8, p9] = [field[i + width]!, field[i + width - 1]!, field[i - 1]!, field[i - width - 1]!];
      const crossings = (+!p2 & (p3 | p4)) + (+!p4 & (p5 | p6)) + (+!p6 & (p7 | p8)) + (+!p8 & (p9 | p2));
      const turned = (p2 | p3) + (p4 | p5) + (p6 | p7) + (p8 | p9);
      const pairs = Math.min(turned, (p9 | p2) + (p3 | p4) + (p5 | p6) + (p7 | p8));
      const stays = odd ? (p2 | p3 | +!p5) & p4 : (p6 | p7 | +!p9) & p8;
      return crossings === 1 && pairs >= 2 && pairs <= 3 && !stays;
    });
    for (const i of gone) field[i] = 0;
    unchanged = gone.length ? 0 : unchanged + 1;
    ink = ink.filter((i) => field[i]);
  }
  return { width, height, data: field };
}

// -- the graph --------------------------------------------------------------------------------------------------

interface Pixel {
  readonly at: Place;
  readonly near: number[];
}

/** Pixels of a skeleton with their neighbours: no diagonal that two straight steps replace. */
function pixelsOf({ width, height, data }: Mask): Pixel[] {
  const number = new Int32Array(data.length).fill(-1);
  const pixels: Pixel[] = [];
  for (let i = 0; i < data.length; i++) {
    if (!data[i]) continue;
    number[i] = pixels.length;
    pixels.push({ at: [i % width, Math.floor(i / width)], near: [] });
  }
  const numberAt = (x: number, y: number): number => {
    return x >= 0 && y >= 0 && x < width && y < height ? number[y * width + x]! : -1;
  };
  for (const { at: [x, y], near } of pixels) {
    for (const [dx, dy] of STEPS) {
      const found = numberAt(x + dx, y + dy);
      const replaced = dx !== 0 && dy !== 0 && (numberAt(x, y + dy) >= 0 || numberAt(x + dx, y) >= 0);
      if (found >= 0 && !replaced) near.push(found);
    }
  }
  return pixels;
}

const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, 1], [1, -1], [-1, -1]] as const;

function graphOf(thin: Mask, depth: Floats): Skeleton {
  const pixels = pixelsOf(thin);
  const nodeOf = new Int32Array(pixels.length).fill(-1);
  const nodes: Place[] = [];
  const radius: number[] = [];
  const placeOf = (pixel: number): Place => pixels[pixel]!.at;
  const depthAt = ([x, y]: Place): number => depth.data[y * thin.width + x]!;
  pixels.forEach(({ near }, start) => {
    if (near.length === 2 || near.length === 0 || nodeOf[start]! >= 0) return;
    const group = [start];
    nodeOf[start] = nodes.length;
    if (near.length > 2) {
      for (const member of group) {
        for (const other of pixels[member]!.near) {
          if (pixels[other]!.near.length > 2 && nodeOf[other]! < 0) {
            nodeOf[other] = nodes.length;
            group.push(other);
          }
        }
      }
    }
    const places = group.map(placeOf);
    nodes.push(middle(places));
    radius.push(Math.max(...places.map(depthAt)));
  });

  /** Pixels from `start` through `first` on to the next node. */
  const walk = (start: number, first: number): number[] => {
    const path = [start, first];
    for (let last = first, before = start; nodeOf[last]! < 0; ) {
      const [a, b] = pixels[last]!.near as [number, number];
      [before, last] = [last, a === before ? b : a];
      path.push(last);
    }
    return path;
  };
  const branches: Branch[] = [];
  const walked = new Set<number>();
  const step = (from: number, to: number) => from * pixels.length + to;
  const passed = pixels.map(({ near }) => near.length !== 2);
  pixels.forEach(({ near }, start) => {
    const node = nodeOf[start]!;
    for (const first of node >= 0 ? near : []) {
      if (walked.has(step(start, first)) || nodeOf[first] === node) continue;
      const path = walk(start, first);
      walked.add(step(start, first)).add(step(path[path.length - 1]!, path[path.length - 2]!));
      const inner = path.slice(1, -1);
      for (const index of inner) passed[index] = true;
      const last = nodeOf[path[path.length - 1]!]!;
      branches.push({ ends: [node, last], path: [nodes[node]!, ...inner.map(placeOf), nodes[last]!] });
    }
  });
  pixels.forEach(({ near }, start) => {
    if (passed[start]) return;
    nodeOf[start] = 0;
    const loop = walk(start, near[0]!);
    for (const index of loop) passed[index] = true;
    branches.push({ ends: [-1, -1], path: loop.map(placeOf) });
  });
  // A dot is a dab one pixel long: renderers leave no ink for a stroke of one point.
  const dots = pixels.filter(({ near }) => near.length === 0);
  return { nodes, radius, branches, dots: dots.map(({ at: [x, y] }) => [[x - 0.5, y], [x + 0.5, y]]) };
}

function middle(places: readonly Place[]): Place {
  const sum = (axis: 0 | 1) => places.reduce((total, place) => total + place[axis], 0);
  return [sum(0) / places.length, sum(1) / places.length];
}

/** The branch ends that meet at each node. */
function meetings(branches: readonly Branch[]): Map<number, End[]> {
  const meeting = new Map<number, End[]>();
  branches.forEach(({ ends }, branch) => {
    for (const which of [0, 1] as const) {
      const node = ends[which];
      if (node < 0) continue;
      const there = meeting.get(node);
      if (there) there.push([branch, which]);
      else meeting.set(node, [[branch, which]]);
    }
  });
  return meeting;
}

/** Forks joined by a bridge shorter than the line is wide become one crossing. */
function contracted(skeleton: Skeleton): Skeleton {
  const owner = skeleton.nodes.map((_, node) => node);
  const find = (node: number): number => {
    while (owner[node] !== node) node = owner[node]!;
    return node;
  };
  const meeting = meetings(skeleton.branches);
  const kept = skeleton.branches.filter(({ ends: [a, b], path }) => {
    if (a < 0 || Math.min(meeting.get(a)!.length, meeting.get(b)!.length) < 3 || a === b) return true;
    if (lengthOf(path) > 1.4 * Math.max(skeleton.radius[a]!, skeleton.radius[b]!)) return true;
    owner[find(a)] = find(b);
    return false;
  });
  const groups = new Map<number, number[]>();
  skeleton.nodes.forEach((_, node) => groups.set(find(node), [...(groups.get(find(node)) ?? []), node]));
  const nodes = [...skeleton.nodes];
  const radius = [...skeleton.radius];
  for (const [root, members] of groups) {
    nodes[root] = middle(members.map((member) => skeleton.nodes[member]!));
    radius[root] = Math.max(...members.map((member) => skeleton.radius[member]!));
  }
  const branches: Branch[] = [];
  for (const branch of kept) {
    if (branch.ends[0] < 0) {
      branches.push(branch);
      continue;
    }
    const [a, b] = [find(branch.ends[0]), find(branch.ends[1])];
    if (a === b && lengthOf(branch.path) <= 3 * radius[a]!) continue;
    branches.push({ ends: [a, b], path: [nodes[a]!, ...branch.path.slice(1, -1), nodes[b]!] });
  }
  return { nodes, radius, branches, dots: skeleton.dots };
}

/** Without spurs: free ends that reach no farther than the edge of the line they grow from. Shortest first. */
function pruned(skeleton: Skeleton): Skeleton {
  const lengths = skeleton.branches.map(({ path }) => lengthOf(path));
  const degree = skeleton.nodes.map(() => 0);
  for (const { ends } of skeleton.branches) for (const node of ends) if (node >= 0) degree[node]!++;
  const left = new Set(skeleton.branches.keys());
  for (;;) {
    let shortest = -1;
    for (const index of left) {
      const [a, b] = skeleton.branches[index]!.ends;
      if (a < 0 || Math.min(degree[a]!, degree[b]!) !== 1 || Math.max(degree[a]!, degree[b]!) <= 2) continue;
      const fork = degree[a]! > degree[b]! ? a : b;
      const spur = lengths[index]! <= 1.3 * skeleton.radius[fork]! + 2;
      if (spur && (shortest < 0 || lengths[index]! < lengths[shortest]!)) shortest = index;
    }
    if (shortest < 0) return { ...skeleton, branches: [...left].map((index) => skeleton.branches[index]!) };
    left.delete(shortest);
    for (const node of skeleton.branches[shortest]!.ends) degree[node]!--;
  }
}

// -- lines across forks -----------------------------------------------------------------------------------------

const keyOf = ([branch, which]: End) => 2 * branch + which;

/** Branches joined at each fork with the one that continues straightest. */
function chains(skeleton: Skeleton, width: number): Path[] {
  const partner = new Map<number, End>();
  const paths: Path[] = skeleton.branches.map(({ path }) => path);
  for (const [node, ends] of meetings(skeleton.branches)) {
    const clear = ends.length > 2 ? skeleton.radius[node]! : 0;
    for (const [a, b] of straightest(skeleton, node, ends, clear, Math.max(8, 1.5 * width))) {
      partner.set(keyOf(a), b).set(keyOf(b), a);
    }
    if (ends.length <= 2) continue;
    for (const end of ends) {
      const joined = partner.has(keyOf(end));
      paths[end[0]] = cleared(paths[end[0]]!, end[1], skeleton.nodes[node]!, 0.9 * clear, !joined);
    }
  }
  const free: End[] = [];
  skeleton.branches.forEach(({ ends }, branch) => {
    if (ends[0] < 0) return;
    for (const which of [0, 1] as const) if (!partner.has(keyOf([branch, which]))) free.push([branch, which]);
  });
  return linked(paths, partner, free);
}

/** Paths strung together from end to partner end, each from a free end on; what no free end leads to is a loop. */
function linked(paths: readonly Path[], partner: ReadonlyMap<number, End>, free: readonly End[]): Path[] {
  const done = new Set<number>();
  const lines: Path[] = [];
  const from = (start: End, isLoop: boolean) => {
    if (done.has(start[0])) return;
    const line: Place[] = [];
    let end: End | undefined = start;
    while (end && !done.has(end[0])) {
      done.add(end[0]);
      const path = paths[end[0]]!;
      for (const place of end[1] === 0 ? path : [...path].reverse()) line.push(place);
      end = partner.get(keyOf([end[0], end[1] === 0 ? 1 : 0]));
    }
    lines.push(isLoop ? [...line, line[0]!] : line);
  };
  for (const end of free) from(end, false);
  for (const index of paths.keys()) from([index, 0], true);
  return lines;
}

/** Pairs of branch ends that continue each other across a node, the straightest first. */
function straightest(
  skeleton: Skeleton,
  node: number,
  ends: readonly End[],
  clear: number,
  reach: number,
): (readonly [End, End])[] {
  if (ends.length === 2) return [[ends[0]!, ends[1]!]];
  const headings = ends.map(([branch, which]) => {
    const { path } = skeleton.branches[branch]!;
    return heading(which === 0 ? path : [...path].reverse(), skeleton.nodes[node]!, clear, reach);
  });
  const turns: { opposite: number; a: number; b: number }[] = [];
  for (let a = 0; a < ends.length; a++) {
    for (let b = a + 1; b < ends.length; b++) turns.push({ opposite: dot(headings[a]!, headings[b]!), a, b });
  }
  const taken = new Set<number>();
  const pairs: (readonly [End, End])[] = [];
  for (const { opposite, a, b } of turns.sort((one, other) => one.opposite - other.opposite)) {
    if (opposite >= -0.5 || taken.has(a) || taken.has(b)) continue;
    taken.add(a).add(b);
    pairs.push([ends[a]!, ends[b]!]);
  }
  return pairs;
}

/** Unit vector in which a path leaves a node, measured where it is clear of the node's blot. */
function heading(path: Path, node: Place, clear: number, reach: number): Place {
  const outside = path.findIndex((place) => distance(place, node) >= clear);
  const first = outside < 0 ? path.length - 1 : outside;
  const last = Math.min(path.length - 1, first + Math.ceil(reach));
  return direction(last > first ? path[first]! : node, path[last]!);
}

/** A path without its points inside a node's blot, where skeletons bend; `keepNode` leads it to the middle. */
function cleared(path: Path, which: 0 | 1, node: Place, clear: number, keepNode: boolean): Path {
  const outward = which === 0 ? path : [...path].reverse();
  const outside = outward.findIndex((place) => distance(place, node) >= clear);
  const rest = outward.slice(outside < 0 ? -1 : outside);
  if (keepNode) rest.unshift(node);
  return which === 0 ? rest : rest.reverse();
}

/** Points a pixel apart, the pixel stairs smoothed away; ends stay, loops stay closed. */
function smooth(line: Path, sigma = 2.5): Path {
  const even = evenlySpaced(line);
  const last = even.length - 1;
  const reach = Math.min(Math.ceil(3 * sigma), last);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-0.5 * ((k - reach) / sigma) ** 2));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const round = isClosed(line);
  const around = (n: number): Place => {
    if (n >= 0 && n <= last) return even[n]!;
    if (round) return even[n < 0 ? n + last : n - last]!;
    const [end, inside] = n < 0 ? [even[0]!, even[-n]!] : [even[last]!, even[2 * last - n]!];
    return [2 * end[0] - inside[0], 2 * end[1] - inside[1]];
  };
  return even.map((_, n) => {
    let [x, y] = [0, 0];
    for (let k = -reach; k <= reach; k++) {
      const place = around(n + k);
      x += weights[k + reach]! * place[0];
      y += weights[k + reach]! * place[1];
    }
    return [x / total, y / total];
  });
}

function evenlySpaced(line: Path): Place[] {
  const along = [0];
  for (let n = 1; n < line.length; n++) along.push(along[n - 1]! + distance(line[n - 1]!, line[n]!));
  const length = along[along.length - 1]!;
  const count = Math.max(2, Math.ceil(length) + 1);
  let n = 1;
  return Array.from({ length: count }, (_, k) => {
    const at = (length * k) / (count - 1);
    while (n < line.length - 1 && along[n]! < at) n++;
    const step = along[n]! - along[n - 1]!;
    const t = step > 0 ? Math.min(1, (at - along[n - 1]!) / step) : 0;
    const [a, b] = [line[n - 1]!, line[n]!];
    return [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
  });
}

// -- gaps -------------------------------------------------------------------------------------------------------

/** Lines whose ends nearly meet and point at each other become one, the nearest ends first. */
function joinGaps({ lines, width }: Tracing): Path[] {
  const gap = 1.2 * width + 3;
  const isOpen = (line: Path) => line.length > 2 && !isClosed(line);
  const opened = lines.filter(isOpen);
  const ends = opened.flatMap((_, index): End[] => [[index, 0], [index, 1]]);
  const tips = ends.map(([index, which]) => tipOf(opened[index]!, which));
  const near: { a: End; b: End; apart: number }[] = [];
  for (let n = 0; n < tips.length; n++) {
    for (let m = n + 1; m < tips.length; m++) {
      const apart = distance(tips[n]!, tips[m]!);
      if (apart <= gap) near.push({ a: ends[n]!, b: ends[m]!, apart });
    }
  }
  const partner = new Map<number, End>();
  for (const { a, b } of near.sort((one, other) => one.apart - other.apart)) {
    if (partner.has(keyOf(a)) || partner.has(keyOf(b)) || !meet(opened, a, b, 0.5 * width)) continue;
    partner.set(keyOf(a), b).set(keyOf(b), a);
  }
  const free = ends.filter((end) => !partner.has(keyOf(end)));
  return [...linked(opened, partner, free), ...lines.filter((line) => !isOpen(line))];
}

/** Whether the gap between two ends continues both lines. */
function meet(lines: readonly Path[], a: End, b: End, near: number): boolean {
  const [lineA, lineB] = [lines[a[0]]!, lines[b[0]]!];
  const [tipA, tipB] = [tipOf(lineA, a[1]), tipOf(lineB, b[1])];
  const apart = distance(tipA, tipB);
  if (a[0] === b[0] && lineA.length < 4 * Math.max(apart, 6)) return false;
  const [outA, outB] = [outward(lineA, a[1]), outward(lineB, b[1])];
  if (apart <= near) return dot(outA, outB) < 0;
  const jump: Place = [tipB[0] - tipA[0], tipB[1] - tipA[1]];
  return dot(outA, jump) > 0.7 * apart && -dot(outB, jump) > 0.7 * apart;
}

function tipOf(line: Path, which: 0 | 1): Place {
  return which === 0 ? line[0]! : line[line.length - 1]!;
}

/** Unit vector in which a line leaves its first or last point. */
function outward(line: Path, which: 0 | 1): Place {
  const reach = Math.min(9, line.length);
  const last = line.length - 1;
  return which === 0 ? direction(line[reach - 1]!, line[0]!) : direction(line[last - reach + 1]!, line[last]!);
}

// -- order ------------------------------------------------------------------------------------------------------

/** Large lines first, then details; each group from the top left on, always to the nearest free end. */
function inDrawingOrder(lines: readonly Path[]): Path[] {
  if (!lines.length) return [];
  const lengths = lines.map(lengthOf);
  const limit = 0.4 * Math.max(...lengths);
  const { left, top } = boundsOf(lines)!;
  let pen: Place = [left, top];
  const ordered: Path[] = [];
  for (const large of [true, false]) {
    const group = lines.filter((_, n) => lengths[n]! >= limit === large);
    while (group.length) {
      const starts = group.map((line) => nearestStart(line, pen));
      const chosen = starts.reduce((best, start, n) => (start.apart < starts[best]!.apart ? n : best), 0);
      const line = startedAt(group.splice(chosen, 1)[0]!, starts[chosen]!.index);
      pen = line[line.length - 1]!;
      ordered.push(line);
    }
  }
  return ordered;
}

/** Where a line can start nearest to the pen: at either end, or at any point of a loop. */
function nearestStart(line: Path, pen: Place): { apart: number; index: number } {
  let best = { apart: distance(line[0]!, pen), index: 0 };
  const step = isClosed(line) ? 1 : line.length - 1;
  for (let index = step; index < line.length; index += step) {
    const apart = distance(line[index]!, pen);
    if (apart < best.apart) best = { apart, index };
  }
  return best;
}

function startedAt(line: Path, index: number): Path {
  if (isClosed(line)) return [...line.slice(index, -1), ...line.slice(0, index + 1)];
  return index === 0 ? line : [...line].reverse();
}

function isClosed(line: Path): boolean {
  const [first, last] = [line[0]!, line[line.length - 1]!];
  return first[0] === last[0] && first[1] === last[1];
}

function lengthOf(path: Path): number {
  let sum = 0;
  for (let n = 1; n < path.length; n++) sum += distance(path[n - 1]!, path[n]!);
  return sum;
}

function distance(a: Place, b: Place): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function dot(a: Place, b: Place): number {
  return a[0] * b[0] + a[1] * b[1];
}

function direction(from: Place, to: Place): Place {
  const length = distance(from, to);
  return length > 0 ? [(to[0] - from[0]) / length, (to[1] - from[1]) / length] : [0, 0];
}
