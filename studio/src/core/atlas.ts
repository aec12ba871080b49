import { readSafetensors } from "./safetensors";
import type { Drawing, Point, Stroke } from "./types";

/** Stored steps a unit of a code. */
const CODE_UNITS = 32;
/** Drawings between which a place of the map, or that of a code, is taken to lie. */
const NEAREST = 4;

interface Near {
  readonly index: number;
  readonly distance: number;
}

/** A map of drawings: each has a place, a category and a code. */
export class Atlas {
  private constructor(
    readonly drawnBy: "people" | "model",
    /** x and y in 0..1, two numbers a drawing. */
    readonly places: Float32Array,
    readonly categoryIds: Uint16Array,
    readonly categories: readonly string[],
    readonly drawings: readonly Drawing[],
    /** `n * z`. */
    private readonly codes: Float32Array,
    readonly zSize: number,
  ) {}

  /** Of the bytes of an atlas.safetensors. Throws for anything else. */
  static read(file: Uint8Array): Atlas {
    const { numbers, about } = readSafetensors(file);
    const categories: unknown = JSON.parse(about["categories"] ?? "");
    if (!Array.isArray(categories)) throw new Error("it names no categories");
    const names = categories.map(String);
    const ids = Uint16Array.from(numbers("category_ids"));
    const codes = Float32Array.from(numbers("codes"), (step) => step / CODE_UNITS);
    const zSize = codes.length / ids.length;
    const places = Float32Array.from(numbers("places"));
    const [points, strokeStarts, sketchStarts] = [
      numbers("points"),
      numbers("stroke_starts"),
      numbers("sketch_starts"),
    ];
    const n = ids.length;
    if (n === 0 || !Number.isInteger(zSize) || places.length !== 2 * n || sketchStarts.length !== n + 1) {
      throw new Error("its arrays do not fit each other");
    }
    const strokes = Array.from({ length: strokeStarts.length - 1 }, (_, s) =>
      Array.from({ length: strokeStarts[s + 1]! - strokeStarts[s]! }, (_, index): Point => {
        const at = 2 * (strokeStarts[s]! + index);
        return [points[at]!, points[at + 1]!];
      }),
    );
    const drawings = Array.from(ids, (id, index): Drawing => {
      const own: Stroke[] = strokes.slice(sketchStarts[index], sketchStarts[index + 1]);
      const category = names[id];
      if (category === undefined || own.length === 0) throw new Error("its arrays do not fit each other");
      return { strokes: own, category, ended: true };
    });
    return new Atlas(about["drawn_by"] === "people" ? "people" : "model", places, ids, names, drawings, codes, zSize);
  }

  code(index: number): Float32Array {
    return this.codes.subarray(index * this.zSize, (index + 1) * this.zSize);
  }

  /** The drawings of a category. */
  ofCategory(category: string): number[] {
    const id = this.categories.indexOf(category);
    return Array.from(this.categoryIds.keys()).filter((index) => this.categoryIds[index] === id);
  }

  /** The drawings whose codes are nearest to one, the nearest first, with the distance (root mean square). */
  nearest(code: Float32Array, count: number): Near[] {
    return smallest(this.drawings.length, count, (index) => Math.sqrt(meanSquare(this.code(index), code)));
  }

  /** Where a code belongs: between the nearest drawings, of those that lie together on the map. */
  locate(code: Float32Array, neighbours: number): { at: Point; neighbours: Near[] } {
    const near = this.nearest(code, Math.max(neighbours, NEAREST));
    const first = near[0]!;
    const together = near
      .slice(0, NEAREST)
      .filter(({ index }) => Math.sqrt(this.squareTo(index, this.place(first.index))) < 0.1);
    const weights = inverse(together.map(({ distance }) => distance ** 2));
    let [x, y] = [0, 0];
    together.forEach(({ index }, position) => {
      x += weights[position]! * this.places[2 * index]!;
      y += weights[position]! * this.places[2 * index + 1]!;
    });
    return { at: [x, y], neighbours: near.slice(0, neighbours) };
  }

  /** The code at a place: between those of the drawings nearby, all but that of one where it lies. */
  codeAt(place: Point): Float32Array {
    const near = smallest(this.drawings.length, NEAREST, (index) => this.squareTo(index, place));
    const weights = inverse(near.map(({ distance }) => distance ** 2));
    const code = new Float32Array(this.zSize);
    near.forEach(({ index }, position) => {
      const own = this.code(index);
      for (let d = 0; d < code.length; d++) code[d] = code[d]! + weights[position]! * own[d]!;
    });
    return code;
  }

  private place(index: number): Point {
    return [this.places[2 * index]!, this.places[2 * index + 1]!];
  }

  private squareTo(index: number, [x, y]: Point): number {
    return (this.places[2 * index]! - x) ** 2 + (this.places[2 * index + 1]! - y) ** 2;
  }
}

/** The `count` indices below n of the smallest distances, the smallest first. */
function smallest(n: number, count: number, distance: (index: number) => number): Near[] {
  return Array.from({ length: n }, (_, index) => ({ index, distance: distance(index) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count);
}

/** Weights in proportion to the inverse of values, of sum 1. */
function inverse(values: readonly number[]): number[] {
  const each = values.map((value) => 1 / (value + 1e-12));
  const total = each.reduce((sum, value) => sum + value, 0);
  return each.map((value) => value / total);
}

export function meanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d]! - b[d]!) ** 2;
  return a.length > 0 ? sum / a.length : 0;
}
