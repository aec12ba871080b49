import { describe, expect, it, vi } from "vitest";
import { boundsOf, distanceToSegment, fitted } from "../src/core/geometry";
import type { Drawing, Point } from "../src/core/types";
import { PictureError } from "../src/pictures/errors";
import { drawingsFromNdjson } from "../src/pictures/ndjson";
import { flattened, moved, outlinesOf } from "../src/pictures/path";
import { trace } from "../src/pictures/trace";
import { circle, coverage, noise, picture } from "./pictures-draw";

vi.setConfig({ testTimeout: 30_000 });

const SNAIL: Point[][] = [
  circle(150, 110, 60),
  [[60, 190], [110, 190], [240, 188], [262, 150], [270, 110]],
  [[262, 150], [285, 118]],
];

/** Largest distance from the points of one drawing to the lines of another, both fitted. */
function farthest(from: Drawing, to: Drawing): number {
  const lines = fitted(to).strokes;
  return Math.max(
    ...fitted(from).strokes.flat().map((point) =>
      Math.min(...lines.flatMap((line) => line.slice(1).map((end, n) => distanceToSegment(point, line[n]!, end)))),
    ),
  );
}

function expectSame(traced: Drawing, drawn: readonly (readonly Point[])[], tolerance: number): void {
  expect(farthest(traced, { strokes: drawn })).toBeLessThan(tolerance);
  expect(farthest({ strokes: drawn }, traced)).toBeLessThan(tolerance);
}

describe("lines of a picture", () => {
  it("are fitted to the canvas", () => {
    const ink = coverage([[[40, 60], [260, 120]]], 4);
    const { strokes } = trace(picture(300, 200, (x, y) => 255 - 255 * ink(x, y)));
    expect(strokes).toHaveLength(1);
    expect(strokes[0]).toHaveLength(2);
    const { left, top, right, bottom } = boundsOf(strokes)!;
    expect([left, top]).toEqual([0, 0]);
    expect(right).toBeCloseTo(255);
    expect(Math.abs(bottom - (255 * 60) / 220)).toBeLessThan(4);
  });

  it("are one closed stroke where they close", () => {
    const ink = coverage([circle(150, 150, 90)], 5);
    const { strokes } = trace(picture(300, 300, (x, y) => 255 - 255 * ink(x, y)));
    expect(strokes).toHaveLength(1);
    expect(strokes[0]![0]).toEqual(strokes[0]!.at(-1));
    expectSame({ strokes }, [circle(150, 150, 90)], 5);
  });

  it("go straight on where they cross", () => {
    const cross: Point[][] = [[[30, 40], [270, 250]], [[40, 260], [260, 30]]];
    const ink = coverage(cross, 6);
    const traced = trace(picture(300, 300, (x, y) => 255 - 255 * ink(x, y)));
    expect(traced.strokes).toHaveLength(2);
    expectSame(traced, cross, 6);
  });

  it.each([1.5, 4, 12])("are the same %s pixels wide", (lineWidth) => {
    const ink = coverage(SNAIL, lineWidth);
    expectSame(trace(picture(320, 240, (x, y) => 255 - 255 * ink(x, y))), SNAIL, 9);
  });

  it.each([
    ["dark on light", 20, 240],
    ["light on dark", 230, 15],
    ["faint", 200, 225],
  ])("are the same %s", (_, pen, paper) => {
    const ink = coverage(SNAIL, 4);
    expectSame(trace(picture(320, 240, (x, y) => paper + (pen - paper) * ink(x, y))), SNAIL, 7);
  });

  it("are seen in noise and where light falls off and a shadow lies", () => {
    const ink = coverage(SNAIL, 4, 2);
    const slope = (x: number) => 1 - 0.4 * (x / 640);
    const shadow = (x: number, y: number) => 1 - 0.25 / (1 + Math.exp((140 - y + 0.3 * x) / 3));
    const photo = picture(640, 480, (x, y) => (220 - 110 * ink(x, y)) * slope(x) * shadow(x, y) + 8 * noise(x, y));
    expectSame(trace(photo), SNAIL, 8);
  });

  it("are seen on transparent ground, whatever their colour", () => {
    const ink = coverage(SNAIL, 4);
    for (const value of [0, 255]) {
      const clear = picture(320, 240, () => value);
      const data = Uint8ClampedArray.from(clear.data);
      for (let i = 3, n = 0; i < data.length; i += 4, n++) data[i] = 255 * ink(n % 320, Math.floor(n / 320));
      expectSame(trace({ ...clear, data }), SNAIL, 7);
    }
  });

  it("do not include the lines of ruled paper", () => {
    const ink = coverage(SNAIL, 4, 2);
    const ruled = picture(640, 480, (x, y) => {
      const rule = Math.max(0, 1 - Math.abs(((y + 0.02 * x) % 32) - 16));
      return 240 - 50 * rule * (1 - ink(x, y)) - 190 * ink(x, y);
    });
    expectSame(trace(ruled), SNAIL, 9);
  });

  it("are the outline of what is filled", () => {
    const disc = picture(300, 300, (x, y) => (Math.hypot(x - 150, y - 150) < 90 ? 0 : 255));
    const { strokes } = trace(disc);
    expect(strokes).toHaveLength(1);
    expectSame({ strokes }, [circle(150, 150, 90)], 14);
  });

  it("do not include dust", () => {
    const ink = coverage(SNAIL, 4);
    const dust = (x: number, y: number) => (x % 37 === 5 && y % 41 === 7 ? 90 : 0);
    expectSame(trace(picture(320, 240, (x, y) => 250 - 240 * ink(x, y) - dust(x, y))), SNAIL, 7);
  });

  it("are large ones first", () => {
    const dots = [circle(130, 120, 8), circle(170, 120, 8)];
    const ink = coverage([...dots, circle(150, 150, 100)], 4);
    const { strokes } = trace(picture(300, 300, (x, y) => 255 - 255 * ink(x, y)));
    expect(strokes).toHaveLength(3);
    const { left, right } = boundsOf([strokes[0]!])!;
    expect(right - left).toBeGreaterThan(250);
  });

  it.each([
    ["one colour", () => 128],
    ["nothing but noise", (x: number, y: number) => 128 + 60 * noise(x, y)],
  ])("are missed in %s, in one sentence", (_, brightness) => {
    expect(() => trace(picture(400, 300, brightness))).toThrow(PictureError);
  });

  it.each([
    [1, 1],
    [1, 500],
    [3, 2],
    [2000, 2],
  ])("in %s x %s pixels end in a drawing or a sentence", (width, height) => {
    const striped = picture(width, height, (x) => (x % 7 ? 255 : 0));
    try {
      expect(trace(striped).strokes.length).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toBeInstanceOf(PictureError);
    }
  });
});

describe("ndjson", () => {
  it("gives simplified drawings as they are", () => {
    const line = '{"word":"ice cream","recognized":true,"drawing":[[[0,255,9],[0,3,200]],[[4],[5]]]}';
    expect(drawingsFromNdjson(`${line}\n\n${line}`)).toEqual(
      Array(2).fill({ category: "ice cream", strokes: [[[0, 0], [255, 3], [9, 200]], [[4, 5]]] }),
    );
  });

  it("fits and simplifies raw ones", () => {
    const xs = Array.from({ length: 101 }, (_, n) => 100 + 5.1 * n);
    const raw = JSON.stringify({ word: "line", drawing: [[xs, xs.map(() => 40), xs.map((_, n) => n)]] });
    const [drawing] = drawingsFromNdjson(raw);
    expect(drawing!.strokes).toHaveLength(1);
    expect(drawing!.strokes[0]).toHaveLength(2);
    expect(drawing!.strokes[0]![1]![0]).toBeCloseTo(255);
  });

  it("leaves out broken lines", () => {
    const bad = ["{", "[]", "null", '{"drawing":[]}', '{"drawing":[[[1],[2,3]]]}', '{"drawing":[[["a"],[1]]]}'];
    const good = '{"drawing":[[[0,255],[0,0]]]}';
    expect(drawingsFromNdjson([...bad, good].join("\n"))).toHaveLength(1);
    expect(() => drawingsFromNdjson(bad.join("\n"))).toThrow(PictureError);
  });
});

describe("SVG path data", () => {
  it("is read with every command, absolute and relative", () => {
    const square = "M10 10H20V20h-10z";
    expect(outlinesOf(square).map((outline) => flattened(outline, 1))).toEqual([
      [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]],
    ]);
    const [first, second] = outlinesOf("m1,2 3-4.5.5 1e1M0 0l1 1 2 2");
    expect(flattened(first!, 1)).toEqual([[1, 2], [4, -2.5], [4.5, 7.5]]);
    expect(flattened(second!, 1)).toEqual([[0, 0], [1, 1], [3, 3]]);
  });

  it("goes on from where a closed subpath began", () => {
    const [, second] = outlinesOf("M5 5h10v10zh-5");
    expect(flattened(second!, 1)).toEqual([[5, 5], [0, 5]]);
  });

  it("flattens curves and arcs within the tolerance", () => {
    const ring = "M10 0A10 10 0 0 1-10 0 10 10 0 0110 0";
    const points = flattened(outlinesOf(ring)[0]!, 0.01);
    for (const [x, y] of points) expect(Math.abs(Math.hypot(x, y) - 10)).toBeLessThan(0.01);
    expect(points.length).toBeGreaterThan(40);
    const rough = flattened(outlinesOf("M0 0C0 10 10 10 10 0S20-10 20 0Q25 10 30 0T40 0")[0]!, 0.1);
    expect(rough.at(-1)).toEqual([40, 0]);
    expect(Math.max(...rough.map(([, y]) => y))).toBeCloseTo(7.5, 0);
    expect(Math.min(...rough.map(([, y]) => y))).toBeCloseTo(-7.5, 0);
  });

  it("is drawn up to its first error", () => {
    expect(outlinesOf("L1 1")).toEqual([]);
    expect(outlinesOf("M0 0")).toEqual([]);
    expect(outlinesOf("M0 0L1 1L2 x")[0]!.pieces).toHaveLength(1);
    expect(outlinesOf("hello")).toEqual([]);
  });

  it("is moved by a matrix", () => {
    const outline = moved(outlinesOf("M1 0L2 0")[0]!, { a: 0, b: 2, c: -2, d: 0, e: 5, f: 7 });
    expect(flattened(outline, 1)).toEqual([[5, 9], [5, 11]]);
  });
});
