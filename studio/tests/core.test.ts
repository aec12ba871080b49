import { describe, expect, it } from "vitest";
import { Atlas } from "../src/core/atlas";
import { normal } from "../src/core/flow";
import { boundsOf, fitted, frameOf, reframed, simplified } from "../src/core/geometry";
import { anyCategory, drawingSeeds, mixed, Streams, uniform } from "../src/core/random";
import { DEFAULT_RASTER, inkOfPoints, missingInk, render, shadesOf } from "../src/core/raster";
import { type ModelInfo, Pen, readConfig, selectState } from "../src/core/runtime";
import { readSafetensors } from "../src/core/safetensors";
import type { Drawing, Stroke } from "../src/core/types";
import { metadataOf } from "../src/engine/metadata";
import { pack, unpack } from "../src/engine/protocol";
import { bundled, golden, inkOf } from "./core-node";

type Stored = readonly [dtype: string, shape: number[], data: ArrayBufferView];

function safetensorsOf(arrays: Record<string, Stored>, about: Record<string, string> = {}): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: about };
  const numbers: number[] = [];
  for (const [name, [dtype, shape, data]] of Object.entries(arrays)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype, shape, data_offsets: [numbers.length, numbers.length + bytes.length] };
    numbers.push(...bytes);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer);
  return Uint8Array.from([...length, ...text, ...numbers]);
}

describe("random numbers", () => {
  const cases = golden<{
    counters: string[];
    mixed: string[];
    uniform: number[];
    seeds: string[];
    places: number[];
    of_streams: number[][];
    normal: number[];
    any: number[][];
  }>("random");

  it("are those of Python, bit for bit", () => {
    expect(cases.counters.map((counter) => String(mixed(BigInt(counter))))).toEqual(cases.mixed);
    expect(cases.counters.map((counter) => uniform(BigInt(counter)))).toEqual(cases.uniform);
    const seeds = drawingSeeds(7, 4);
    expect([...seeds].map(String)).toEqual(cases.seeds);
    const streams = new Streams(4);
    seeds.forEach((seed, index) => streams.set(index, mixed(seed)));
    expect([0, 1, 2, 3].map((stream) => cases.places.map((place) => streams.uniform(stream, place)))).toEqual(
      cases.of_streams,
    );
  });

  it("choose the categories that Python chooses", () => {
    expect([0, 1, 7].map((seed) => anyCategory(seed, 6, 345))).toEqual(cases.any);
  });

  it("are normal where they should be", () => {
    normal(drawingSeeds(7, 4), 5).forEach((value, index) => expect(value).toBeCloseTo(cases.normal[index]!, 5));
    const values = normal(drawingSeeds(3, 40), 101);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(square - 1)).toBeLessThan(0.08);
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

describe("ink on the paper", () => {
  const info = { raster: DEFAULT_RASTER, sequence: { start: "centre", scale: 2 } } as unknown as ModelInfo;
  // A square about the centre, then a stroke across it, in units of two.
  const square = [-63.75, -63.75, 0, 127.5, 0, 0, 0, 127.5, 0, -127.5, 0, 0, 0, -127.5, 1];
  const points = Float32Array.from([...square, 63.75, 0, 0, 0, 127.5, 1]);

  it("is that of the points", () => {
    const strokes: Stroke[] = [[[0, 0], [255, 0], [255, 255], [0, 255], [0, 0]], [[127.5, 0], [127.5, 255]]];
    expect(inkOfPoints(points, info)).toEqual(shadesOf({ strokes }, DEFAULT_RASTER));
    const across = inkOfPoints(points, info, 5);
    expect(across[24 * 48 + 1]).toBe(0);
    expect(across[24 * 48 + 23]).toBeGreaterThan(0.4);
    expect(inkOfPoints(points, info, 7).every((value) => value === 0)).toBe(true);
  });

  it("lacks what it does not cover within a pixel", () => {
    const [picture, paper] = [inkOfPoints(points, info), inkOfPoints(Float32Array.from(square), info)];
    expect(missingInk(picture, picture, DEFAULT_RASTER)).toBe(0);
    const across = inkOfPoints(points, info, 5).reduce((sum, value) => sum + value ** 2, 0);
    expect(missingInk(picture, paper, DEFAULT_RASTER)).toBeGreaterThan(0.8 * across);
    expect(missingInk(picture, paper, DEFAULT_RASTER)).toBeLessThan(across);
    const aside = Float32Array.from(picture, (_, pixel) => (pixel % 48 === 0 ? 0 : picture[pixel - 1]!));
    expect(missingInk(aside, picture, DEFAULT_RASTER)).toBeLessThan(1e-6);
  });
});

describe("states", () => {
  it("keeps the states of the drawings that go on", () => {
    const values = { data: Float32Array.from([1, 2, 3, 4, 5, 6]), dims: [3, 2] };
    const { moving } = selectState({ fixed: [], moving: [values] }, [2, 0, 0]);
    expect(moving[0]).toEqual({ data: Float32Array.from([5, 6, 1, 2, 1, 2]), dims: [3, 2] });
    expect(Pen.end).toBe(2);
  });
});

describe("files of numbers", () => {
  it("are read with the kinds of numbers that a map has", () => {
    const { numbers, about } = readSafetensors(
      safetensorsOf(
        {
          half: ["F16", [5], Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555])],
          small: ["I8", [2], Int8Array.from([-128, 5])],
          wide: ["U32", [1], Uint32Array.from([4_000_000_000])],
        },
        { drawn_by: "people" },
      ),
    );
    expect([...numbers("half")].map((value) => Math.fround(value))).toEqual(
      [1, -2, 2 ** -24, Infinity, 0.333251953125].map(Math.fround),
    );
    expect([[...numbers("small")], [...numbers("wide")]]).toEqual([[-128, 5], [4_000_000_000]]);
    expect(about).toEqual({ drawn_by: "people" });
    expect(() => numbers("codes")).toThrow("no array codes");
  });

  it("are refused where they are something else", () => {
    expect(() => readSafetensors(new TextEncoder().encode("<html>"))).toThrow("not a file of arrays");
    expect(() => readSafetensors(new TextEncoder().encode("<!doctype html>"))).toThrow("not a file of arrays");
    const whole = safetensorsOf({ small: ["I8", [4], Int8Array.from([1, 2, 3, 4])] });
    expect(() => readSafetensors(whole.subarray(0, whole.length - 1)).numbers("small")).toThrow("cut off");
    expect(() => readSafetensors(safetensorsOf({ a: ["F64", [1], new Float64Array(1)] })).numbers("a")).toThrow("F64");
  });

  it("give the settings of a model", () => {
    const info = readConfig(new TextDecoder().decode(bundled("config.json")));
    expect(info.raster).toEqual(DEFAULT_RASTER);
    expect(() => readConfig("{}")).toThrow("not the configuration");
    expect(() => readConfig('{"version": 2}')).toThrow("missing");
  });

  it("say what a classifier knows", () => {
    const about = metadataOf(bundled("classifier.onnx"), "sketch_pix2seq.classifier");
    expect((JSON.parse(about!) as { categories: string[] }).categories).toContain("pig");
    expect(metadataOf(bundled("classifier.onnx"), "nothing")).toBeNull();
    expect(() => metadataOf(Uint8Array.of(0x80), "nothing")).toThrow("cut off");
  });
});

describe("the map", () => {
  const halves = [0x2e66, 0x2e66, 0x2fae, 0x2e66, 0x3b33, 0x3b33, 0x3b0a, 0x3b33]; // 0.1, 0.12, 0.9, 0.88
  const written = (codes: number[]): Uint8Array =>
    safetensorsOf(
      {
        codes: ["I8", [codes.length / 3, 3], Int8Array.from(codes)],
        places: ["F16", [4, 2], Uint16Array.from(halves)],
        category_ids: ["U16", [4], Uint16Array.from([0, 0, 1, 1])],
        points: ["I16", [5, 2], Int16Array.from([0, 0, 255, 0, 0, 9, 1, 1, 2, 2])],
        stroke_starts: ["U32", [5], Uint32Array.from([0, 2, 3, 4, 5])],
        sketch_starts: ["U32", [5], Uint32Array.from([0, 1, 2, 3, 4])],
      },
      { categories: '["pig","sun"]', drawn_by: "people" },
    );
  const atlas = Atlas.read(written([32, 0, 0, 64, 0, 0, 0, 100, 0, 0, 120, 0]));

  it("has its drawings and their codes", () => {
    expect(atlas.drawnBy).toBe("people");
    expect(atlas.drawings[0]).toEqual({ strokes: [[[0, 0], [255, 0]]], category: "pig", ended: true });
    expect(atlas.drawings[3]!.strokes).toEqual([[[2, 2]]]);
    expect([...atlas.code(1)]).toEqual([2, 0, 0]);
    expect(atlas.ofCategory("sun")).toEqual([2, 3]);
  });

  it("finds where a code belongs, and the code of a place", () => {
    const { at, neighbours } = atlas.locate(Float32Array.from([1.5, 0, 0]), 2);
    expect(neighbours.map(({ index }) => index).sort()).toEqual([0, 1]);
    expect(at[0]).toBeCloseTo(0.11, 3);
    expect([...atlas.codeAt([0.1, 0.1])].map(Math.round)).toEqual([1, 0, 0]);
    const [x, y] = atlas.codeAt([0.89, 0.9]);
    expect(x).toBeLessThan(0.01);
    expect(y).toBeGreaterThan(100 / 32);
    expect(y).toBeLessThan(120 / 32);
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
