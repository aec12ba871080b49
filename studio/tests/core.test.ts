import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { Atlas } from "../src/core/atlas";
import { boundsOf, fitted, frameOf, pointCount, reframed, simplified } from "../src/core/geometry";
import { numbers, readNpz, texts } from "../src/core/npz";
import { Prior } from "../src/core/prior";
import { drawingSeeds, mixed, Normals, Streams, uniform } from "../src/core/random";
import { DEFAULT_RASTER, render } from "../src/core/raster";
import { beginsOf, broughtBy, chooseBegin, inkOnPaper, missingInk } from "../src/core/retake";
import { Pen, readConfig, selectState } from "../src/core/runtime";
import { begin, choose, drawOn } from "../src/core/sampler";
import { settled } from "../src/core/settle";
import { withoutSpecks } from "../src/core/specks";
import type { Drawing, Stroke } from "../src/core/types";
import { pack, unpack } from "../src/engine/protocol";
import { bundled, golden, inkOf } from "./core-node";
import { Scripted } from "./core-scripted";

function npzOf(arrays: Record<string, [kind: string, shape: number[], data: ArrayBufferView]>): Uint8Array {
  const file = ([kind, shape, data]: [string, number[], ArrayBufferView]): Uint8Array => {
    const text = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117) + "\n";
    const head = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length, 0, ...new TextEncoder().encode(text)];
    return Uint8Array.from([...head, ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
  };
  return zipSync(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, file(array)])));
}

describe("random numbers", () => {
  const cases = golden<{
    counters: string[];
    mixed: string[];
    uniform: number[];
    seeds: string[];
    places: number[];
    of_streams: number[][];
  }>("random");

  it("are those of Python, bit for bit", () => {
    expect(cases.counters.map((counter) => String(mixed(BigInt(counter))))).toEqual(cases.mixed);
    expect(cases.counters.map((counter) => uniform(BigInt(counter)))).toEqual(cases.uniform);
    const seeds = drawingSeeds(7, 4);
    expect([...seeds].map(String)).toEqual(cases.seeds);
    const streams = new Streams(seeds);
    expect([0, 1, 2, 3].map((stream) => cases.places.map((place) => streams.uniform(stream, place)))).toEqual(
      cases.of_streams,
    );
  });

  it("are normal where they should be, the same for the same seed", () => {
    const normals = new Normals(1, 2);
    const values = Array.from({ length: 4000 }, () => normals.next());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(square - 1)).toBeLessThan(0.07);
    expect(new Normals(1, 2).next()).toBe(values[0]);
    expect(new Normals(1, 3).next()).not.toBe(values[0]);
  });
});

describe("geometry", () => {
  const drawing: Drawing = {
    strokes: [
      [
        [10, 20],
        [110, 20],
      ],
      [[60, 70]],
    ],
  };

  it("fits a drawing to the canvas", () => {
    const { strokes } = fitted(drawing);
    expect(boundsOf(strokes)).toEqual({ left: 0, top: 0, right: 255, bottom: 127.5 });
    expect(fitted({ strokes: [[[5, 5]]] }).strokes).toEqual([[[0, 0]]]);
    expect(fitted({ strokes: [] }).strokes).toEqual([]);
  });

  it("moves from one frame into another and back", () => {
    const own = frameOf(drawing.strokes);
    const other = { side: 50, centre: [1, 2] as const };
    expect(frameOf(reframed(drawing.strokes, own, other))).toEqual(other);
  });

  it("simplifies a stroke and keeps its corners", () => {
    const stroke: Stroke = Array.from({ length: 201 }, (_, i) => (i <= 100 ? [i, Math.sin(i) * 0.2] : [100, i - 100]));
    const [simple] = simplified([stroke], 2);
    expect(simple).toEqual([stroke[0], stroke[100], stroke[200]]);
  });
});

describe("ink", () => {
  const cases = golden<(Drawing & { ink: string })[]>("ink");

  it("is what the encoder was trained on", () => {
    const errors = cases.map(({ strokes, ink }) => {
      const [own, wanted] = [render({ strokes }), inkOf(ink)];
      const apart = own.map((value, pixel) => Math.abs(value - wanted[pixel]!));
      const inked = wanted.filter((value) => value > 0).length;
      return { mean: apart.reduce((sum, value) => sum + value, 0) / inked, most: Math.max(...apart) };
    });
    for (const { mean, most } of errors) {
      expect(mean).toBeLessThan(6);
      expect(most).toBeLessThan(16);
    }
  });

  it("is blank without strokes, and shows a dot", () => {
    expect(render({ strokes: [] }).every((value) => value === 0)).toBe(true);
    expect(Math.max(...render({ strokes: [[[7, 7]]] }))).toBeGreaterThan(100);
  });

  it("shows a stroke smaller than a pixel as a dot", () => {
    const far: Stroke = [[0, 0], [255, 0]];
    const inked = (strokes: Stroke[]): number => render({ strokes: [far, ...strokes] }).reduce((a, b) => a + b);
    const dot = inked([[[100, 255]]]) - inked([]);
    for (const size of [0.1, 1, 3, 5]) {
      const small = inked([[[100, 255 - size], [100, 255]]]) - inked([]);
      expect(Math.abs(small - dot)).toBeLessThan(0.3 * dot);
    }
  });

  it("has wider lines where the model wants them", () => {
    const strokes: Stroke[] = [
      [
        [0, 0],
        [10, 0],
      ],
    ];
    const inked = (line: number): number => render({ strokes }, { ...DEFAULT_RASTER, line }).reduce((a, b) => a + b);
    expect(inked(3)).toBeGreaterThan(1.8 * inked(1));
  });
});

describe("specks and repeats", () => {
  it.each(golden<(Drawing & { given: number; left: number[] })[]>("specks"))(
    "are those that Python leaves out: of $given given points $left stay",
    ({ strokes, given, left }) => {
      const imagined = Float32Array.from({ length: 48 * 48 }, (_, pixel) => (pixel % 48 >= 24 ? 1 : 0));
      const kept = withoutSpecks(strokes, imagined, DEFAULT_RASTER, given);
      expect(kept.map((stroke) => strokes.indexOf(stroke))).toEqual(left);
    },
  );
});

describe("settled drawings", () => {
  it.each(golden<(Drawing & { given: number; ink: string; settled: Stroke[] })[]>("settled"))(
    "lie where they do in Python, $given points given",
    ({ strokes, given, ink, settled: wanted }) => {
      const picture = Float32Array.from(inkOf(ink), (value) => value / 255);
      const found = settled(strokes, picture, DEFAULT_RASTER, given);
      expect(found.map((stroke) => stroke.length)).toEqual(wanted.map((stroke) => stroke.length));
      const others = wanted.flat(2);
      // Python looks for the nearest line in float32, so of two that are as near it may take the other one.
      found.flat(2).forEach((value, index) => expect(Math.abs(value - others[index]!)).toBeLessThan(0.02));
      expect(found.flat().slice(0, given)).toEqual(strokes.flat().slice(0, given).map((at) => at.map(Math.fround)));
    },
  );

  it("stay where the picture is blank", () => {
    const strokes: Stroke[] = [[[10, 10], [90, 40]]];
    expect(settled(strokes, new Float32Array(48 * 48), DEFAULT_RASTER, 0)).toBe(strokes);
  });
});

describe("strokes that are taken back", () => {
  interface TakeCase {
    picture: Stroke[];
    stroke: Stroke;
    missing: number;
    gain: number;
    laid: number;
  }

  it("bring what they bring in Python, but for the last bits of the ink", () => {
    const cases = golden<TakeCase[]>("takes");
    for (const { picture, stroke, missing, gain, laid } of cases) {
      const [wanted, before, alone] = [picture, picture.slice(0, 1), [stroke]].map((strokes) => {
        return inkOnPaper(strokes, DEFAULT_RASTER);
      }) as [Float32Array, Float32Array, Float32Array];
      const brought = broughtBy(wanted, before, alone.map((value, pixel) => Math.max(value, before[pixel]!)));
      expect(Math.abs(brought.gain - gain)).toBeLessThan(0.03 * laid + 0.3);
      expect(Math.abs(brought.laid - laid)).toBeLessThan(0.03 * laid + 0.3);
      expect(Math.abs(missingInk(wanted, before, DEFAULT_RASTER) - missing)).toBeLessThan(0.03 * missing + 0.3);
    }
    expect(cases.some(({ gain, laid }) => gain > 0.9 * laid)).toBe(true);
    expect(cases.some(({ gain }) => gain < 0)).toBe(true);
  });
});

describe("strokes for missing ink", () => {
  interface BeginCase {
    picture: number[];
    paper: number[];
    begins: number[];
    opinion: number[];
    chosen: [chance: number, place: number][];
  }

  it.each(golden<BeginCase[]>("begins"))("begin where they do in Python", (given) => {
    const [picture, paper] = [Float32Array.from(given.picture), Float32Array.from(given.paper)];
    const begins = beginsOf({ picture, paper }, { ...DEFAULT_RASTER, size: 16 });
    expect(begins.length).toBe(given.begins.length / 3);
    begins.forEach(({ x, y, ink }, index) => {
      [x, y, ink].forEach((value, column) => expect(value).toBeCloseTo(given.begins[3 * index + column]!, 3));
    });
    for (const [chance, place] of given.chosen) expect(chooseBegin(begins, given.opinion, chance)).toBe(place);
  });
});

describe("the sampler", () => {
  interface Choice {
    temperature: number;
    pen_temperature: number;
    seed: number;
    row: number;
    mixture: Record<string, number[]>;
    pen: number[];
    offsets: number[];
  }

  it.each(golden<Choice[]>("choices"))("chooses as Python does at temperature $temperature", async (given) => {
    const streams = new Streams(drawingSeeds(given.seed, given.pen.length));
    const logPen = Float32Array.from(given.mixture["log_pen"]!);
    const pens = given.pen.map((_, i) => {
      return choose(logPen, 3 * i, 3, streams.uniform(i, 4 * given.row + 1), given.pen_temperature);
    });
    expect(pens).toEqual(given.pen);

    // The row is drawn by the sampler itself, with the pen held down until then.
    const runtime = new Scripted(given.pen.length, given.row, given.mixture);
    const begun = await begin(runtime, new Float32Array(0), new Float32Array(0), given.pen.length);
    const settings = { temperature: given.temperature, penTemperature: 0, tries: 1, retakes: 0, settle: false, maxPoints: given.row + 1 };
    await drawOn(runtime, begun, drawingSeeds(given.seed, given.pen.length), settings);
    runtime.lastOffsets.forEach((value, index) => expect(value).toBeCloseTo(given.offsets[index]!, 5));
  });

  it("tells what there is after each row, and stops where it is given up", async () => {
    const runtime = new Scripted(2, 5, golden<Choice[]>("choices")[0]!.mixture);
    const begun = await begin(runtime, new Float32Array(0), new Float32Array(0), 2);
    const settings = { temperature: 0.2, penTemperature: 0, tries: 1, retakes: 0, settle: false, maxPoints: 6 };
    const lengths: number[] = [];
    const drawings = await drawOn(runtime, begun, drawingSeeds(1, 2), settings, {
      onRow: (going, soFar) => lengths.push(...going.map((index) => pointCount(soFar(index).strokes))),
    });
    expect(lengths.slice(0, 6)).toEqual([1, 1, 2, 2, 3, 3]);
    expect(drawings.map(({ ended }) => ended)).toEqual([false, false]);
    const turn = (): Promise<void> => Promise.reject(new Error("given up"));
    await expect(drawOn(runtime, begun, drawingSeeds(1, 2), settings, { turn })).rejects.toThrow("given up");
  });

  it("keeps the states of the drawings that go on", () => {
    const values = { data: Float32Array.from([1, 2, 3, 4, 5, 6]), dims: [3, 2] };
    const { moving } = selectState({ fixed: [], moving: [values] }, [2, 0, 0]);
    expect(moving[0]).toEqual({ data: Float32Array.from([5, 6, 1, 2, 1, 2]), dims: [3, 2] });
    expect(Pen.end).toBe(2);
  });
});

describe("files of numbers", () => {
  it("are read with the kinds of numbers that a prior has", () => {
    const arrays = readNpz(bundled("prior.npz"));
    const [categories, z] = [texts(arrays, "categories"), arrays.get("means")!.shape[2]!];
    expect(categories).toContain("pig");
    expect(numbers(arrays, "means").length).toBe(categories.length * arrays.get("means")!.shape[1]! * z);
    expect([...numbers(arrays, "shares")].reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(() => numbers(arrays, "categories")).toThrow("holds no numbers");
    expect(() => numbers(arrays, "codes")).toThrow("no array codes");
  });

  it("are refused where they are something else", () => {
    expect(() => readNpz(new TextEncoder().encode("<html>"))).toThrow();
    expect(() => readNpz(zipSync({ "a.npy": new Uint8Array(40) }))).toThrow("not one of numpy");
  });

  it("give the settings of a model", () => {
    const info = readConfig(new TextDecoder().decode(bundled("config.json")));
    expect(info.raster).toEqual(DEFAULT_RASTER);
    expect(() => readConfig("{}")).toThrow("not the configuration");
    expect(() => readConfig('{"version": 1}')).toThrow("missing");
  });
});

describe("the prior", () => {
  const prior = Prior.read(bundled("prior.npz"));
  const cases = golden<{ codes: number[]; log_densities: number[][]; likeliest: string[] }>("prior");
  const codes = cases.log_densities.map((_, i) =>
    Float32Array.from(cases.codes.slice(i * prior.zSize, (i + 1) * prior.zSize)),
  );

  it("has the densities of Python", () => {
    codes.forEach((code, i) => {
      const own = prior.logDensities(code);
      cases.log_densities[i]!.forEach((density, c) => {
        expect(Math.abs(own[c]! - density)).toBeLessThan(1e-3 + 1e-6 * Math.abs(density));
      });
      const posterior = prior.posterior(code);
      expect(prior.categories[posterior.indexOf(Math.max(...posterior))]).toBe(cases.likeliest[i]);
    });
  });

  it("takes its own samples for what they are", () => {
    const index = prior.index("pig");
    const sure = Array.from({ length: 200 }, (_, i) => prior.posterior(prior.sample(index, new Normals(3, i)))[index]!);
    expect(sure.filter((share) => share > 0.9).length).toBeGreaterThan(180);
    expect(() => prior.index("unicorn horn")).toThrow("knows no unicorn horn");
  });

  it("samples about the examples of a category that has any", () => {
    const arrays = {
      categories: ["<U1", [2], new Uint32Array([97, 98])],
      shares: ["<f8", [2], new Float64Array([0.5, 0.5])],
      weights: ["<f4", [2, 1], new Float32Array([1, 1])],
      means: ["<f4", [2, 1, 2], new Float32Array([0, 0, 50, 50])],
      factors: ["<f4", [2, 2, 1], new Float32Array(4)],
      noise: ["<f4", [2, 2], new Float32Array([1, 1, 1, 1])],
      examples: ["|i1", [2, 2], new Int8Array([-100, 100, 100, -100])],
      example_scale: ["<f4", [2], new Float32Array([0.5, 0.5])],
      example_offset: ["<f4", [2], new Float32Array([50, 50])],
      example_of: ["<i4", [2], new Int32Array([1, 1])],
    } satisfies Parameters<typeof npzOf>[0];
    const few = Prior.read(npzOf(arrays));
    const samples = Array.from({ length: 200 }, (_, i) => few.sample(1, new Normals(5, i), 1));
    const off = samples.map(([x, y]) => Math.min(Math.hypot(x!, y! - 100), Math.hypot(x! - 100, y!)));
    expect(Math.max(...off)).toBeLessThan(3);
    const variance = off.reduce((sum, distance) => sum + distance ** 2 / 400, 0);
    expect(variance).toBeGreaterThan(0.15);
    expect(variance).toBeLessThan(0.4);
    expect(samples.filter(([x]) => x! < 50).length).toBeGreaterThan(60);
    expect(Math.hypot(...few.sample(0, new Normals(5, 0), 1))).toBeLessThan(6);
    const one = { ...arrays, example_of: ["<i4", [1], new Int32Array([1])] } satisfies Parameters<typeof npzOf>[0];
    expect(() => Prior.read(npzOf(one))).toThrow("do not fit");
  });
});

describe("the map", () => {
  const places = [0.1, 0.1, 0.12, 0.1, 0.9, 0.9, 0.88, 0.9];
  const written = (codes: number[]): Uint8Array =>
    npzOf({
      places: ["<f4", [4, 2], Float32Array.from(places)],
      category_ids: ["<u2", [4], Uint16Array.from([0, 0, 1, 1])],
      codes: ["|i1", [codes.length / 3, 3], Int8Array.from(codes)],
      code_scale: ["<f4", [3], Float32Array.from([0.5, 0.5, 1])],
      code_offset: ["<f4", [3], Float32Array.from([0, 0, 10])],
      points: ["<i2", [6, 2], Int16Array.from([0, 0, 255, 0, 0, 9, 1, 1, 2, 2, 3, 3])],
      stroke_starts: ["<u4", [5], Uint32Array.from([0, 2, 3, 4, 6])],
      sketch_starts: ["<u4", [5], Uint32Array.from([0, 1, 2, 3, 4])],
      categories: ["|u1", [13], new TextEncoder().encode('["pig","sun"]')],
      drawn_by: ["|u1", [6], new TextEncoder().encode("people")],
    });
  const atlas = Atlas.read(written([2, 0, 0, 4, 0, 0, 0, 100, 0, 0, 120, 0]));

  it("has its drawings and their codes", () => {
    expect(atlas.drawnBy).toBe("people");
    expect(atlas.drawings[0]).toEqual({ strokes: [[[0, 0], [255, 0]]], category: "pig", ended: true });
    expect(atlas.drawings[3]!.strokes).toEqual([[[2, 2], [3, 3]]]);
    expect([...atlas.code(1)]).toEqual([2, 0, 10]);
    expect(atlas.ofCategory("sun")).toEqual([2, 3]);
  });

  it("finds where a code belongs, and the code of a place", () => {
    const { at, neighbours } = atlas.locate(Float32Array.from([1.5, 0, 10]), 2);
    expect(neighbours.map(({ index }) => index).sort()).toEqual([0, 1]);
    expect(at[0]).toBeCloseTo(0.11, 5);
    expect([...atlas.codeAt([0.1, 0.1])].map(Math.round)).toEqual([1, 0, 10]);
    const [x, y] = atlas.codeAt([0.89, 0.9]);
    expect(x).toBeLessThan(0.01);
    expect(y).toBeGreaterThan(50);
    expect(y).toBeLessThan(60);
  });

  it("is refused where its arrays do not fit", () => {
    expect(() => Atlas.read(written([2, 0, 0]))).toThrow("do not fit");
  });
});

describe("drawings between threads", () => {
  it("arrive as they were", () => {
    const drawings: Drawing[] = [
      { strokes: [[[0.1, 2]], [[3, 4], [5, 6]]], category: "pig", ended: true },
      { strokes: [[[7, 8]]] },
    ];
    expect(unpack(pack(drawings))).toEqual(drawings);
    expect(unpack(pack([]))).toEqual([]);
  });
});
