import type { Point } from "../core/types";

/** A subpath: where the pen is put down, and what it does then. */
export interface Outline {
  readonly start: Point;
  readonly pieces: readonly Piece[];
}

/** A line to a point, or a cubic Bezier curve: two control points and its end. */
export type Piece = readonly [Point] | readonly [Point, Point, Point];

/** From the units of an element to those of the page, as SVG's matrix(a b c d e f). */
export interface Matrix {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

const PARAMETERS: Readonly<Record<string, number>> = { M: 2, L: 2, H: 1, V: 1, C: 6, S: 4, Q: 4, T: 2, A: 7, Z: 0 };
const NUMBER = /[\s,]*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/y;
const FLAG = /[\s,]*([01])/y;
const COMMAND = /[\s,]*([MmZzLlHhVvCcSsQqTtAa])/y;

/** The subpaths of SVG path data. As in browsers, it is drawn up to the first error; a move alone draws nothing. */
export function outlinesOf(data: string): Outline[] {
  const outlines: Outline[] = [];
  let start: Point = [0, 0];
  let pen: Point = [0, 0];
  let pieces: Piece[] = [];
  let control: Point = pen; // the last curve's last control point, mirrored by S and T
  let before = "";
  const finish = () => {
    if (pieces.length) outlines.push({ start, pieces });
    pieces = [];
  };
  const line = (to: Point) => {
    pieces.push([to]);
    pen = to;
  };
  const curve = (a: Point, b: Point, to: Point) => {
    pieces.push([a, b, to]);
    pen = to;
  };
  const quadratic = (middle: Point, to: Point) => {
    curve(between(pen, middle, 2 / 3), between(to, middle, 2 / 3), to);
    control = middle;
  };
  for (const { command, numbers: n, relative } of commandsOf(data)) {
    if (!before && command !== "M") break;
    const [x, y] = relative ? pen : [0, 0];
    const at = (k: number): Point => [x + n[k]!, y + n[k + 1]!];
    const mirror = (kinds: string): Point =>
      kinds.includes(before) ? [2 * pen[0] - control[0], 2 * pen[1] - control[1]] : pen;
    if (command === "M") {
      finish();
      start = pen = at(0);
    } else if (command === "L") line(at(0));
    else if (command === "H") line([x + n[0]!, pen[1]]);
    else if (command === "V") line([pen[0], y + n[0]!]);
    else if (command === "C" || command === "S") {
      const first = command === "C" ? at(0) : mirror("CS");
      control = at(n.length - 4);
      curve(first, control, at(n.length - 2));
    } else if (command === "Q") quadratic(at(0), at(2));
    else if (command === "T") quadratic(mirror("QT"), at(0));
    else if (command === "A") {
      pieces.push(...arc(pen, n[0]!, n[1]!, n[2]!, n[3] === 1, n[4] === 1, at(5)));
      pen = at(5);
    } else {
      line(start);
      finish();
    }
    before = command;
  }
  finish();
  return outlines;
}

interface Command {
  readonly command: string;
  readonly relative: boolean;
  readonly numbers: readonly number[];
}

function* commandsOf(data: string): Generator<Command> {
  let at = 0;
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(data);
    if (match) at = pattern.lastIndex;
    return match ? match[1]! : null;
  };
  for (let letter = take(COMMAND); letter; letter = take(COMMAND)) {
    let command = letter.toUpperCase();
    const relative = letter !== command;
    const count = PARAMETERS[command]!;
    for (let repeat = 0; count > 0 || repeat === 0; repeat++) {
      const numbers: number[] = [];
      while (numbers.length < count) {
        const text = take(command === "A" && (numbers.length === 3 || numbers.length === 4) ? FLAG : NUMBER);
        if (text === null) break;
        numbers.push(Number(text));
      }
      if (numbers.length < count) {
        if (repeat === 0 || numbers.length) return;
        break;
      }
      yield { command, relative, numbers };
      if (command === "M") command = "L"; // what follows a move's first pair are lines
    }
  }
}

function between(a: Point, b: Point, t: number): Point {
  return [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
}

/** An elliptical arc as Bezier curves of a quarter turn at most (SVG 2, appendix B.2). */
function arc(from: Point, rx: number, ry: number, degrees: number, large: boolean, sweep: boolean, to: Point): Piece[] {
  if (from[0] === to[0] && from[1] === to[1]) return [];
  if (!rx || !ry) return [[to]];
  const turn = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const [dx, dy] = [(from[0] - to[0]) / 2, (from[1] - to[1]) / 2];
  const [x, y] = [cos * dx + sin * dy, cos * dy - sin * dx];
  const stretch = Math.max(1, Math.hypot(x / rx, y / ry));
  const [a, b] = [Math.abs(rx) * stretch, Math.abs(ry) * stretch];
  const rest = (a * b) ** 2 / ((a * y) ** 2 + (b * x) ** 2) - 1;
  const side = (large === sweep ? -1 : 1) * Math.sqrt(Math.max(0, rest));
  const [middleX, middleY] = [(side * a * y) / b, (-side * b * x) / a];
  const begin = Math.atan2((y - middleY) / b, (x - middleX) / a);
  const end = Math.atan2((-y - middleY) / b, (-x - middleX) / a);
  const full = 2 * Math.PI;
  const angle = sweep ? (((end - begin) % full) + full) % full : -((((begin - end) % full) + full) % full);
  const count = Math.max(1, Math.ceil(Math.abs(angle) / (Math.PI / 2) - 1e-9));
  const reach = (4 / 3) * Math.tan(angle / count / 4);
  const centreX = (from[0] + to[0]) / 2 + cos * middleX - sin * middleY;
  const centreY = (from[1] + to[1]) / 2 + sin * middleX + cos * middleY;
  const place = (u: number, v: number): Point => {
    return [centreX + cos * a * u - sin * b * v, centreY + sin * a * u + cos * b * v];
  };
  return Array.from({ length: count }, (_, n): Piece => {
    const [p, q] = [begin + (angle * n) / count, begin + (angle * (n + 1)) / count];
    return [
      place(Math.cos(p) - reach * Math.sin(p), Math.sin(p) + reach * Math.cos(p)),
      place(Math.cos(q) + reach * Math.sin(q), Math.sin(q) - reach * Math.cos(q)),
      n === count - 1 ? to : place(Math.cos(q), Math.sin(q)),
    ];
  });
}

export function moved({ start, pieces }: Outline, { a, b, c, d, e, f }: Matrix): Outline {
  const move = ([x, y]: Point): Point => [a * x + c * y + e, b * x + d * y + f];
  return { start: move(start), pieces: pieces.map((piece) => piece.map(move) as unknown as Piece) };
}

/** Points of which no curve is farther away than `tolerance`. */
export function flattened({ start, pieces }: Outline, tolerance: number): Point[] {
  const points: Point[] = [start];
  for (const piece of pieces) {
    const from = points[points.length - 1]!;
    if (piece.length === 1) {
      points.push(piece[0]);
      continue;
    }
    const [p, q, to] = piece;
    // A chord is off by at most step^2 / 8 of the second derivative.
    const bend = 6 * Math.max(bendAt(from, p, q), bendAt(p, q, to));
    const count = Math.min(1000, Math.max(1, Math.ceil(Math.sqrt(bend / (8 * tolerance)))));
    for (let n = 1; n <= count; n++) {
      const t = n / count;
      const s = 1 - t;
      const at = (k: 0 | 1) => s * s * s * from[k] + 3 * s * s * t * p[k] + 3 * s * t * t * q[k] + t * t * t * to[k];
      points.push([at(0), at(1)]);
    }
  }
  return points;
}

function bendAt(a: Point, b: Point, c: Point): number {
  return Math.hypot(a[0] - 2 * b[0] + c[0], a[1] - 2 * b[1] + c[1]);
}
