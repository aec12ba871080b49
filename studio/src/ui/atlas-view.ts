import { lengthOf } from "../core/geometry";
import type { Point } from "../core/types";

const MOST = 40;

/** The part of a map (0..1 a side) that a window shows: pixels = place * scale + offset. */
export class AtlasWindow {
  private width = 1;
  private height = 1;
  zoom = 1;
  private centre: Point = [0.5, 0.5];

  resize(width: number, height: number): void {
    [this.width, this.height] = [Math.max(1, width), Math.max(1, height)];
  }

  get scale(): number {
    return Math.min(this.width, this.height) * 0.92 * this.zoom;
  }

  toScreen(x: number, y: number): Point {
    const { scale } = this;
    return [this.width / 2 + (x - this.centre[0]) * scale, this.height / 2 + (y - this.centre[1]) * scale];
  }

  toPlace(x: number, y: number): Point {
    const { scale } = this;
    return [this.centre[0] + (x - this.width / 2) / scale, this.centre[1] + (y - this.height / 2) / scale];
  }

  panBy(dx: number, dy: number): void {
    const { scale } = this;
    this.look(this.centre[0] - dx / scale, this.centre[1] - dy / scale);
  }

  /** What lies at a place of the window stays there. */
  zoomBy(factor: number, x: number, y: number): void {
    const [placeX, placeY] = this.toPlace(x, y);
    this.zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
    const { scale } = this;
    this.look(placeX - (x - this.width / 2) / scale, placeY - (y - this.height / 2) / scale);
  }

  whole(): void {
    this.zoom = 1;
    this.centre = [0.5, 0.5];
  }

  private look(x: number, y: number): void {
    const within = (value: number): number => Math.min(1, Math.max(0, value));
    this.centre = this.zoom === 1 ? [0.5, 0.5] : [within(x), within(y)];
  }
}

/** Places at even steps along a path, both ends among them; of a path of one place that one. */
export function alongPath(path: readonly Point[], count: number): Point[] {
  const reached = path.map((_, index) => lengthOf([path.slice(0, index + 1)]));
  const whole = reached.at(-1) ?? 0;
  let at = 0;
  return Array.from({ length: count }, (_, step): Point => {
    const wanted = (whole * step) / Math.max(1, count - 1);
    while (at < path.length - 2 && reached[at + 1]! < wanted) at++;
    const [from, to] = [path[at]!, path[at + 1] ?? path[at]!];
    const side = (reached[at + 1] ?? 0) - reached[at]!;
    const share = side > 0 ? Math.min(1, (wanted - reached[at]!) / side) : 0;
    return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
  });
}

/** Index of the drawing nearest to a place. */
export function nearestTo(places: Float32Array, [x, y]: Point): number {
  let [nearest, least] = [0, Infinity];
  for (let index = 0; 2 * index < places.length; index++) {
    const square = (places[2 * index]! - x) ** 2 + (places[2 * index + 1]! - y) ** 2;
    if (square < least) [nearest, least] = [index, square];
  }
  return nearest;
}

/** The middle of each category's drawings: of both coordinates the median, which strays do not move. */
export function categoryCentres(places: Float32Array, ids: Uint16Array, count: number): (Point | null)[] {
  const each: number[][] = Array.from({ length: count }, () => []);
  ids.forEach((id, index) => each[id]?.push(index));
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
  return each.map((own) =>
    own.length === 0
      ? null
      : [median(own.map((index) => places[2 * index]!)), median(own.map((index) => places[2 * index + 1]!))],
  );
}
