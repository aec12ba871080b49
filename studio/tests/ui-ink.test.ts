import { describe, expect, it } from "vitest";
import { boundsOf } from "../src/core/geometry";
import type { Drawing, Point } from "../src/core/types";
import { contactSheet } from "../src/ui/contact-sheet";
import { curveOf } from "../src/ui/curve";
import { drawingOf, erased, type Ink, inkOf, modelDrawing, onPage, packInk, toPage, unpackInk, viewOf } from "../src/ui/ink";
import { Sheet } from "../src/ui/sheet";

const line = (...points: Point[]): Ink[number] => ({ points, by: "person" });
const AREA = { left: 10, top: 20, width: 800, height: 600 };

describe("the page", () => {
  it("shows all of itself, the shorter side being 1000", () => {
    const view = viewOf(AREA, []);
    expect(view.scale).toBeCloseTo(0.6);
    expect(toPage(view, 410, 320)).toEqual([0, 0]);
    expect(toPage(view, 410, 20)[1]).toBeCloseTo(-500);
  });

  it("shows all ink, where some lies beyond it", () => {
    const ink = [line([-3000, 0], [0, 100])];
    const { scale, x } = viewOf(AREA, ink);
    expect(-3000 * scale + x).toBeCloseTo(AREA.left);
  });

  it("takes drawings into its middle", () => {
    const { strokes } = onPage({
      strokes: [
        [
          [7, 5],
          [107, 55],
        ],
      ],
    });
    const { left, right, top, bottom } = boundsOf(strokes)!;
    expect(right - left).toBeCloseTo(760);
    expect(left + right).toBeCloseTo(0);
    expect(top + bottom).toBeCloseTo(0);
  });
});

describe("a long drawing", () => {
  it("is simplified for the model, and little else changes", () => {
    const spiral = Array.from({ length: 1850 }, (_, n): Point => [n * Math.cos(n / 60), n * Math.sin(n / 60)]);
    const [given] = modelDrawing([line(...spiral)]).strokes;
    expect(given!.length).toBeLessThanOrEqual(250);
    expect(given!.length).toBeGreaterThan(60);
    expect(given![0]).toBe(spiral[0]);
    expect(given!.at(-1)).toBe(spiral.at(-1));
  });

  it("keeps all of a short one", () => {
    const ink = [line([0, 0], [1, 0], [2, 0])];
    expect(modelDrawing(ink)).toEqual(drawingOf(ink));
  });
});

describe("the eraser", () => {
  const ink = [line([0, 0], [100, 0]), line([0, 50], [100, 50]), line([40, 80])];

  it("takes strokes that it crosses between their points", () => {
    expect(erased(ink, [50, -20], [50, 20], 2)).toEqual(ink.slice(1));
  });

  it("takes dots, and strokes that it comes near to", () => {
    expect(erased(ink, [38, 79], [38, 79], 4)).toEqual(ink.slice(0, 2));
    expect(erased(ink, [50, 46], [50, 46], 5)).toEqual([ink[0], ink[2]]);
  });

  it("gives the same ink where it touches nothing", () => {
    expect(erased(ink, [200, 200], [300, 300], 5)).toBe(ink);
  });
});

describe("what the browser keeps", () => {
  it("survives a reload, pressure and authors included", () => {
    const ink: Ink = [
      {
        points: [
          [1.26, 2],
          [3, 4],
        ],
        pressure: [0.5, 0.75],
        by: "person",
      },
      { points: [[-9, 8]], by: "model" },
    ];
    expect(unpackInk(packInk(ink))).toEqual([
      {
        ...ink[0],
        points: [
          [1.3, 2],
          [3, 4],
        ],
      },
      ink[1],
    ]);
  });

  it.each(["", "{", "7", "[7]", '[{"p":"x"}]', '[{"p":[null,1]}]', '[{"p":[]}]'])(
    "is left out where it is damaged: %s",
    (text) => {
      expect(unpackInk(text)).toBeNull();
    },
  );
});

describe("undo and redo", () => {
  it("go back and forth, and a new stroke ends the way forth", () => {
    const sheet = new Sheet([]);
    const [one, two, other] = [[line([0, 0])], [line([0, 0]), line([1, 1])], [line([2, 2])]];
    sheet.change(one);
    sheet.change(two);
    sheet.undo();
    expect(sheet.ink.value).toBe(one);
    sheet.redo();
    expect(sheet.ink.value).toBe(two);
    sheet.undo();
    sheet.change(other);
    expect(sheet.canRedo).toBe(false);
    sheet.undo();
    sheet.undo();
    sheet.undo();
    expect(sheet.ink.value).toEqual([]);
    expect(sheet.canUndo).toBe(false);
  });

  it("take no step where nothing changed", () => {
    const sheet = new Sheet([]);
    sheet.change(sheet.ink.value);
    expect(sheet.canUndo).toBe(false);
  });
});

describe("the curve of a stroke", () => {
  it("begins and ends where the stroke does, and keeps sharp corners", () => {
    const { xs, ys, length } = curveOf([
      [0, 0],
      [100, 0],
      [100, 100],
    ]);
    expect([xs[0], ys[0], xs.at(-1), ys.at(-1)]).toEqual([0, 0, 100, 100]);
    expect(Array.from(xs, (x, i) => [x, ys[i]])).toContainEqual([100, 0]);
    expect(length).toBeCloseTo(200);
  });

  it("rounds gentle turns", () => {
    const { xs, ys } = curveOf([
      [0, 0],
      [50, 0],
      [100, 20],
    ]);
    expect(Array.from(xs, (x, i) => [x, ys[i]])).not.toContainEqual([50, 0]);
  });

  it("of a dot has no length", () => {
    expect(curveOf([[3, 4]]).length).toBe(0);
  });
});

it("ink and drawings are the same strokes", () => {
  const drawing: Drawing = {
    strokes: [
      [
        [0, 0],
        [1, 1],
      ],
    ],
  };
  expect(drawingOf(inkOf(drawing, "model"))).toEqual(drawing);
});

it("a contact sheet has each drawing in a cell of its own", () => {
  const drawing: Drawing = {
    strokes: [
      [
        [0, 0],
        [10, 10],
      ],
    ],
  };
  const { strokes } = contactSheet([drawing, drawing, drawing]);
  expect(strokes.map((stroke) => stroke[0])).toEqual([
    [22.5, 22.5],
    [322.5, 22.5],
    [22.5, 322.5],
  ]);
});
