import { beforeAll, describe, expect, it } from "vitest";
import { Completer } from "../src/core/complete";
import { Atlas, meanSquare } from "../src/core/atlas";
import { boundsOf, frameOf, pointCount } from "../src/core/geometry";
import { Model } from "../src/core/model";
import { Prior } from "../src/core/prior";
import { render } from "../src/core/raster";
import { begin, drawOn, selectBegun } from "../src/core/sampler";
import { DEFAULT_SETTINGS, type Drawing } from "../src/core/types";
import type { OnnxRuntime } from "../src/engine/onnx";
import { bundled, bundledRuntime, golden } from "./core-node";

interface Cases {
  codes: number[];
  seeds: string[];
  cases: { temperature: number; pen_temperature: number; tries: number; max_points: number; drawings: Drawing[] }[];
  begun: { rows: number[]; log_pen: number[]; log_likelihood: number[]; drawings: Drawing[] };
  seen: { seed: number; ink: number[][]; drawings: Drawing[] };
  kept: { seed: number; candidates: number; drawings: Drawing[][] };
}

const cases = golden<Cases>("drawings");
const seeds = BigUint64Array.from(cases.seeds, BigInt);
const codes = Float32Array.from(cases.codes);
const z = codes.length / 2;
const each = [codes.slice(0, z), codes.slice(z)];

let runtime: OnnxRuntime;
let model: Model;
/** With a map to compare with. */
let completer: Completer;

beforeAll(async () => {
  runtime = await bundledRuntime();
  const prior = Prior.read(bundled("prior.npz"));
  model = new Model(runtime, prior, null);
  completer = new Completer(new Model(runtime, prior, Atlas.read(bundled("atlas.npz"))));
}, 180_000);

/** The same strokes: as many points, each within a tenth of a canvas unit. */
function expectSame(found: Drawing, wanted: Drawing): void {
  expect(found.strokes.map((stroke) => stroke.length)).toEqual(wanted.strokes.map((stroke) => stroke.length));
  expect(found.ended).toBe(wanted.ended);
  const [own, others] = [found.strokes.flat(2), wanted.strokes.flat(2)];
  expect(Math.max(...own.map((value, index) => Math.abs(value - others[index]!)))).toBeLessThan(0.1);
}

describe("the bundled model draws as in Python", { timeout: 180_000 }, () => {
  it.each(cases.cases)("from nothing, at temperature $temperature", async (wanted) => {
    const begun = await begin(runtime, codes, new Float32Array(0), 2);
    const settings = {
      temperature: wanted.temperature,
      penTemperature: wanted.pen_temperature,
      tries: wanted.tries,
      retakes: 8,
      settle: true,
      maxPoints: wanted.max_points,
    };
    const drawings = await drawOn(runtime, begun, seeds, settings);
    drawings.forEach((drawing, index) => expectSame(drawing, wanted.drawings[index]!));
  });

  it("whatever is drawn beside it", async () => {
    const begun = await begin(runtime, codes, new Float32Array(0), 2);
    const settings = DEFAULT_SETTINGS;
    const [alone] = await drawOn(runtime, selectBegun(begun, [1]), seeds.slice(1), settings);
    expectSame(alone!, cases.cases[0]!.drawings[1]!);
  });

  it("on from given rows", async () => {
    const { rows, log_pen, log_likelihood, drawings } = cases.begun;
    const begun = await begin(runtime, codes, Float32Array.from(rows), 2);
    begun.logPen.forEach((value, index) => expect(value).toBeCloseTo(log_pen[index]!, 3));
    begun.logLikelihood.forEach((value, index) => expect(value).toBeCloseTo(log_likelihood[index]!, 2));
    const found = await drawOn(runtime, begun, seeds, DEFAULT_SETTINGS);
    found.forEach((drawing, index) => expectSame(drawing, drawings[index]!));
  });

  it("while it looks at the picture", async () => {
    const { seed, ink, drawings } = cases.seen;
    const settings = { ...DEFAULT_SETTINGS, candidates: 1, retakes: 0 };
    const picture = Float32Array.from(ink.flat(), (value) => value / 255);
    const [found] = await model.drawCodes([each[0]!], { samples: 2, seed, settings }, {}, [picture]);
    found!.forEach((drawing, index) => expectSame(drawing, drawings[index]!));
  });

  it("and takes back what misses it", async () => {
    const picture = Float32Array.from(cases.seen.ink.flat(), (value) => value / 255);
    const apart = async (retakes: number): Promise<number> => {
      const settings = { ...DEFAULT_SETTINGS, candidates: 1, retakes };
      const [found] = await model.drawCodes([each[0]!], { samples: 6, seed: 1, settings }, {}, [picture]);
      const inks = found!.map((drawing) => render(drawing));
      const errors = inks.map((ink) => ink.reduce((sum, value, at) => sum + (value / 255 - picture[at]!) ** 2, 0));
      return errors.reduce((sum, error) => sum + error, 0) / errors.length;
    };
    expect(await apart(8)).toBeLessThan(0.9 * (await apart(0)));
  });

  it("and keeps the same of several candidates", async () => {
    const { seed, candidates, drawings } = cases.kept;
    const settled: string[] = [];
    const found = await model.drawCodes(
      each,
      { samples: 2, seed, settings: { ...DEFAULT_SETTINGS, candidates } },
      { onDrawing: (code, sample) => settled.push(`${code} ${sample}`) },
    );
    found.forEach((row, code) => row.forEach((drawing, sample) => expectSame(drawing, drawings[code]![sample]!)));
    expect(settled.sort()).toEqual(["0 0", "0 1", "1 0", "1 1"]);
  });
});

describe("a model in the page", { timeout: 180_000 }, () => {
  const quick = { ...DEFAULT_SETTINGS, candidates: 1 };
  const pig = cases.cases[0]!.drawings[0]!;

  it("redraws where the drawing is", async () => {
    const far: Drawing = { strokes: pig.strokes.map((stroke) => stroke.map(([x, y]) => [x / 2 + 500, y / 2 - 300])) };
    const rows: number[] = [];
    const [redrawn] = await model.redraw(far, { samples: 1, seed: 1, settings: quick }, {
      onRow: (_code, _sample, soFar) => rows.push(pointCount(soFar().strokes)),
    });
    const [own, found] = [frameOf(far.strokes), boundsOf(redrawn!.strokes)!];
    expect(Math.abs((found.left + found.right) / 2 - own.centre[0])).toBeLessThan(0.2 * own.side);
    expect(Math.max(found.right - found.left, found.bottom - found.top) / own.side).toBeGreaterThan(0.7);
    expect(rows.slice(0, 3)).toEqual([1, 2, 3]);
  });

  it("imagines what it was asked for, the same for the same seed", async () => {
    const request = { samples: 2, seed: 3, settings: { ...quick, candidates: 2 } };
    const drawings = await model.imagine("pig", request);
    expect(drawings.map(({ category }) => category)).toEqual(["pig", "pig"]);
    expect(await model.imagine("pig", request)).toEqual(drawings);
    await expect(model.imagine("unicorn horn", request)).rejects.toThrow("knows no unicorn horn");
  });

  it("goes on with what is drawn, from its last point on", async () => {
    const started: Drawing = { strokes: pig.strokes.slice(0, 2) };
    const request = { samples: 3, seed: 2, settings: quick, category: "pig", penDown: false };
    const completions = await completer.complete(started, request);
    expect(completions).toHaveLength(3);
    for (const { drawing, started: count } of completions) {
      expect(count).toBe(2);
      expect(drawing.strokes.slice(0, 2)).toEqual(started.strokes);
      expect(drawing.category).toBe("pig");
      expect(pointCount(drawing.strokes)).toBeGreaterThan(pointCount(started.strokes));
    }
    const held = await completer.complete(started, { ...request, penDown: true });
    for (const { drawing } of held) {
      expect(drawing.strokes[1]!.slice(0, started.strokes[1]!.length)).toEqual(started.strokes[1]);
    }
  });

  it("imagines and goes on alike with a map and without", async () => {
    const mapped = new Model(runtime, model.prior, Atlas.read(bundled("atlas.npz")));
    const [drawing] = await mapped.imagine("pig", { samples: 1, seed: 3, settings: quick });
    expect(drawing!.category).toBe("pig");
    const request = { samples: 1, seed: 2, settings: quick, category: "pig", penDown: false };
    const [completion] = await new Completer(model).complete({ strokes: pig.strokes.slice(0, 1) }, request);
    expect(completion!.drawing.strokes[0]).toEqual(pig.strokes[0]);
  });

  it("sees a drawing of 2,000 points as one of few", async () => {
    const dense: Drawing = {
      strokes: pig.strokes.map((stroke) =>
        stroke.flatMap(([x, y], index) => {
          const [toX, toY] = stroke[index + 1] ?? [x, y];
          return Array.from({ length: 30 }, (_, i) => [x + ((toX - x) * i) / 30, y + ((toY - y) * i) / 30] as const);
        }),
      ),
    };
    const [many, few] = await model.encode([dense, pig]);
    expect(meanSquare(many!, few!)).toBeLessThan(0.005);
    const request = { samples: 1, seed: 2, settings: quick, category: null, penDown: false };
    const [completion] = await completer.complete(dense, request);
    expect(completion!.drawing.strokes.slice(0, dense.strokes.length)).toEqual(dense.strokes);
  });

  it("says what is wrong with nothing", async () => {
    await expect(model.encode([{ strokes: [] }])).rejects.toThrow("nothing drawn");
    const request = { samples: 1, seed: 2, settings: quick, category: null, penDown: false };
    await expect(completer.complete({ strokes: [] }, request)).rejects.toThrow("draw a first stroke");
  });
});
