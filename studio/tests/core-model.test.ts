import { beforeAll, describe, expect, it } from "vitest";
import { complete } from "../src/core/complete";
import { meanSquare } from "../src/core/atlas";
import { sampleCodes } from "../src/core/flow";
import { boundsOf, frameOf, pointCount } from "../src/core/geometry";
import { Model } from "../src/core/model";
import { drawingSeeds } from "../src/core/random";
import type { Runtime } from "../src/core/runtime";
import { DEFAULT_SETTINGS, type Drawing } from "../src/core/types";
import type { OnnxRuntime } from "../src/engine/onnx";
import { bundledRuntime, golden, inkOf } from "./core-node";

type Case = Drawing & { seed: number; finished?: number };

interface Cases {
  picture: Drawing;
  category: string;
  max_points: number;
  code: number[];
  ink: string;
  started_code: number[];
  /** The number of the category that the picture is taken for. */
  recognised: number;
  codes: number[];
  started: Drawing;
  following: Case[];
  unweighed: Case[];
  varied: Case[];
  generated: Case[];
  completed: Case[];
}

const cases = golden<Cases>("drawings");
const { picture, category } = cases;
const settings = { ...DEFAULT_SETTINGS, maxPoints: cases.max_points };
const following = { ...settings, freedom: 0 };

let runtime: OnnxRuntime;
let model: Model;

beforeAll(async () => {
  runtime = await bundledRuntime();
  model = new Model(runtime, null);
}, 180_000);

/** The same strokes: as many points, each within a fifth of a canvas unit. */
function expectSame(found: Drawing, wanted: Drawing): void {
  expect(found.strokes.map((stroke) => stroke.length)).toEqual(wanted.strokes.map((stroke) => stroke.length));
  expect(found.ended).toBe(wanted.ended);
  const [own, others] = [found.strokes.flat(2), wanted.strokes.flat(2)];
  expect(Math.max(...own.map((value, index) => Math.abs(value - others[index]!)))).toBeLessThan(0.2);
}

/** The model, with a code of what it sees that is Python's: the page's ink differs a little, and so do its codes. */
function seeing(code: readonly number[]): Model {
  const encodeInk = (): Promise<Float32Array> => Promise.resolve(Float32Array.from(code));
  return new Model(Object.assign(Object.create(runtime) as Runtime, { encodeInk }), null);
}

/** As `redraw` gives it, in the frame of a picture whose longest side is that of the canvas. */
function inPicture(drawing: Drawing): Drawing {
  const { side, centre } = frameOf(picture.strokes);
  const strokes = drawing.strokes.map((stroke) =>
    stroke.map(([x, y]) => {
      return [((x - 127.5) * side) / 255 + centre[0], ((y - 127.5) * side) / 255 + centre[1]] as const;
    }),
  );
  return { ...drawing, strokes };
}

describe("the bundled model draws as in Python", { timeout: 180_000 }, () => {
  it("sees the same", async () => {
    const [code] = await model.encode([picture]);
    expect(meanSquare(code!, Float32Array.from(cases.code))).toBeLessThan(0.01);
  });

  it.each(cases.following)("following a picture, seed $seed", async (wanted) => {
    const ink = Float32Array.from(inkOf(cases.ink), (value) => value / 255);
    const request = { samples: 1, seed: wanted.seed, settings: following };
    const [found] = await model.drawCodes([Float32Array.from(cases.code)], request, {}, [ink]);
    expectSame(found![0]!, wanted);
  });

  it.each(cases.unweighed)("from a code alone, seed $seed", async (wanted) => {
    const request = { samples: 1, seed: wanted.seed, settings: following };
    const [found] = await model.drawCodes([Float32Array.from(cases.code)], request);
    expectSame(found![0]!, wanted);
  });

  it.each(cases.varied)("with freedom, seed $seed", async (wanted) => {
    const request = { samples: 1, seed: wanted.seed, settings: { ...settings, freedom: 0.4 } };
    const [found] = await seeing(cases.code).redraw(picture, request, {}, category);
    expectSame(found!, inPicture(wanted));
  });

  it.each(cases.generated)("from nothing, seed $seed", async (wanted) => {
    const [found] = await model.generate(category, { samples: 1, seed: wanted.seed, settings });
    expectSame(found!, wanted);
    expect(found!.category).toBe(category);
  });

  it.each(cases.completed)("on from what is there, seed $seed", async (wanted) => {
    const [found] = await complete(seeing(cases.started_code), cases.started, { samples: 1, seed: wanted.seed, settings, category });
    expectSame(found!.drawing, wanted);
    expect(found!.finished).toBeCloseTo(wanted.finished!, 3);
    expect(found!.started).toBe(cases.started.strokes.length);
  });

  it("has the codes of its flow", async () => {
    const given = { category: Int32Array.of(0, runtime.info.categories.length), partial: null };
    const { codes } = await sampleCodes(runtime, given, drawingSeeds(1, 2), settings.guidance);
    codes.forEach((code, index) => {
      const wanted = Float32Array.from(cases.codes.slice(index * code.length, (index + 1) * code.length));
      expect(meanSquare(code, wanted)).toBeLessThan(1e-6);
    });
  });
});

describe("a model in the page", { timeout: 180_000 }, () => {
  it("draws the same whatever is drawn beside it", async () => {
    const wanted = cases.varied[0]!;
    const request = { samples: wanted.seed + 3, seed: 5, settings };
    const many = await model.generate(category, request);
    const [first] = await model.generate(category, { ...request, samples: 1 });
    expectSame(many[0]!, first!);
  });

  it("redraws where the drawing is, and tells of it as it grows", async () => {
    const far: Drawing = {
      strokes: picture.strokes.map((stroke) => stroke.map(([x, y]) => [x / 2 + 500, y / 2 - 300])),
    };
    for (const freedom of [0, 0.4]) {
      const rows: number[] = [];
      const ends: string[] = [];
      const request = { samples: 2, seed: 1, settings: { ...settings, freedom } };
      const [redrawn] = await model.redraw(far, request, {
        onRow: (_code, sample, soFar) => sample === 0 && rows.push(pointCount(soFar().strokes)),
        onDrawing: (code, sample) => ends.push(`${code} ${sample}`),
      });
      const [own, found] = [frameOf(far.strokes), boundsOf(redrawn!.strokes)!];
      expect(Math.abs((found.left + found.right) / 2 - own.centre[0])).toBeLessThan(own.side);
      expect(rows).toEqual([...rows].sort((a, b) => a - b));
      expect(rows.length).toBeGreaterThan(0);
      expect(ends.sort()).toEqual(["0 0", "0 1"]);
    }
  });

  it("is followed the closer, the more is proposed", async () => {
    const apart = async (proposals: number): Promise<number> => {
      const request = { samples: 3, seed: 1, settings: { ...following, proposals } };
      const codes = await model.encode(await model.redraw(picture, request));
      const [own] = await model.encode([picture]);
      return codes.reduce((sum, code) => sum + meanSquare(code, own!), 0);
    };
    expect(await apart(4)).toBeLessThan(await apart(1));
  });

  it("names what a drawing shows", async () => {
    const guesses = await model.recognise(picture, 4);
    expect(guesses).toHaveLength(4);
    expect(guesses.map(({ probability }) => probability)).toEqual(
      guesses.map(({ probability }) => probability).sort((a, b) => b - a),
    );
    expect(guesses.reduce((sum, { probability }) => sum + probability, 0)).toBeLessThanOrEqual(1.0001);
    const known = runtime.info.categories[cases.recognised];
    if (known !== undefined) expect(guesses[0]!.category).toBe(known);
    expect(await model.recognise({ strokes: [] }, 3)).toEqual([]);
  });

  it("goes on with what is drawn in several ways, dense as it may be", async () => {
    const dense: Drawing = {
      strokes: picture.strokes.slice(0, 2).map((stroke) =>
        stroke.flatMap(([x, y], index) => {
          const [toX, toY] = stroke[index + 1] ?? [x, y];
          return Array.from({ length: 30 }, (_, i) => [x + ((toX - x) * i) / 30, y + ((toY - y) * i) / 30] as const);
        }),
      ),
    };
    const request = { samples: 2, seed: 2, settings, category: null };
    for (const { drawing, started, finished } of await complete(model, dense, request)) {
      expect(started).toBe(2);
      expect(drawing.strokes.slice(0, 2)).toEqual(dense.strokes);
      expect(finished).toBeGreaterThanOrEqual(0);
      expect(finished).toBeLessThanOrEqual(1);
    }
  });

  it("stops where it is given up", async () => {
    let turns = 0;
    const turn = (): Promise<void> => (++turns > 5 ? Promise.reject(new Error("given up")) : Promise.resolve());
    const request = { samples: 1, seed: 1, settings };
    await expect(model.generate(category, request, { turn })).rejects.toThrow("given up");
  });

  it("says what is wrong with nothing", async () => {
    await expect(model.encode([{ strokes: [] }])).rejects.toThrow("nothing drawn");
    const request = { samples: 1, seed: 2, settings, category: null };
    await expect(complete(model, { strokes: [] }, request)).rejects.toThrow("draw a first stroke");
    await expect(model.generate("unicorn horn", request)).rejects.toThrow("knows no unicorn horn");
  });
});
