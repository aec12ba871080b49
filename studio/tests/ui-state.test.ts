import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AtlasWindow, categoryCentres, nearestTo } from "../src/ui/atlas-view";
import { Cell } from "../src/ui/cell";
import { categoryColour } from "../src/ui/colours";
import { Latest } from "../src/ui/latest";
import { trainingFacts } from "../src/ui/preferences";
import { Session } from "../src/ui/session";
import { checked, DEFAULTS } from "../src/ui/settings";

describe("a cell", () => {
  it("tells of changes, and only of those", () => {
    const cell = new Cell(1);
    const told = vi.fn();
    const end = cell.watch(told);
    cell.value = 1;
    cell.value = 2;
    end();
    cell.value = 3;
    expect(told.mock.calls).toEqual([[2, 1]]);
  });
});

describe("of works, only the newest", () => {
  it("counts; the one before is aborted and gives nothing", async () => {
    const latest = new Latest();
    let aborted = false;
    const first = latest.run(async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      aborted = signal.aborted;
      throw new DOMException("given up", "AbortError");
    });
    await expect(latest.run(async () => "second")).resolves.toBe("second");
    await expect(first).resolves.toBeNull();
    expect(aborted).toBe(true);
  });

  it("says what went wrong", async () => {
    await expect(new Latest().run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  });
});

describe("settings of an earlier visit", () => {
  it("are taken where they make sense", () => {
    expect(checked('{"temperature":0.7,"freedom":0.9,"theme":"dark","device":"webgpu","pace":0}')).toEqual({
      ...DEFAULTS,
      temperature: 0.7,
      freedom: 0.9,
      theme: "dark",
      device: "webgpu",
      pace: 0,
    });
  });

  it.each([null, "", "no", "null", "[]", '{"temperature":"hot","freedom":99,"pace":-1,"theme":3,"shortcuts":1}'])(
    "are the usual ones otherwise: %s",
    (text) => {
      expect(checked(text)).toEqual(DEFAULTS);
    },
  );
});

describe("kept drawings", () => {
  beforeEach(() => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: kept.set.bind(kept) });
    vi.stubGlobal("window", new EventTarget());
  });
  afterEach(() => vi.unstubAllGlobals());

  it("of two tabs are all there, and one that is removed stays away", () => {
    const one = new Session(() => undefined);
    const other = new Session(() => undefined);
    one.keep({ strokes: [[[0, 0]]] }, "person");
    other.keep({ strokes: [[[1, 1]]] }, "model");
    window.dispatchEvent(Object.assign(new Event("storage"), { key: "sketch-pix2seq.session" }));
    expect(one.kept.value.map(({ by }) => by)).toEqual(["model", "person"]);
    one.remove(one.kept.value[0]!.id);
    other.keep({ strokes: [[[2, 2]]] }, "model");
    expect(other.kept.value.map(({ drawing }) => drawing.strokes[0]![0])).toEqual([[2, 2], [0, 0]]);
  });
});

describe("the window on the map", () => {
  it("shows all of it at first, and what lies under the pointer stays there", () => {
    const shown = new AtlasWindow();
    shown.resize(400, 300);
    expect(shown.toScreen(0.5, 0.5)).toEqual([200, 150]);
    const before = shown.toPlace(250, 120);
    shown.zoomBy(4, 250, 120);
    const after = shown.toPlace(250, 120);
    expect(after[0]).toBeCloseTo(before[0]);
    expect(after[1]).toBeCloseTo(before[1]);
    shown.zoomBy(0.01, 10, 10);
    expect(shown.toScreen(0.5, 0.5)).toEqual([200, 150]);
  });

  it("moves with the hand", () => {
    const shown = new AtlasWindow();
    shown.resize(400, 400);
    shown.zoomBy(2, 200, 200);
    const [x, y] = shown.toScreen(0.5, 0.5);
    shown.panBy(30, -20);
    const [toX, toY] = shown.toScreen(0.5, 0.5);
    expect(toX - x).toBeCloseTo(30);
    expect(toY - y).toBeCloseTo(-20);
  });

  it("finds the nearest drawing and the middle of each category", () => {
    const places = Float32Array.of(0, 0, 0.5, 0.5, 1, 1, 0.25, 0.75);
    expect(nearestTo(places, [0.9, 0.8])).toBe(2);
    expect(categoryCentres(places, Uint16Array.of(0, 0, 0, 2), 3)).toEqual([[0.5, 0.5], null, [0.25, 0.75]]);
  });
});

it("each category has a colour of its own", () => {
  const colours = Array.from({ length: 47 }, (_, index) => categoryColour(index, false));
  expect(new Set(colours).size).toBe(47);
});

it("the training record is told as far as it is there", () => {
  expect(trainingFacts({})).toEqual([]);
  expect(trainingFacts({ steps: 24600, minutes: 362.3, machine: "a machine", sketches: { train: 120621 } })).toEqual([
    ["Learned from", "120,621 drawings"],
    ["Training", "24,600 steps, 6.0 hours"],
    ["On", "a machine"],
  ]);
});
