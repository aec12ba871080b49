import { describe, expect, it } from "vitest";
import type { Point, Stroke } from "../src/core/types";
import { slerp, slerpAmong } from "../src/ui/blending";
import { including } from "../src/ui/frames";
import { guessInWords } from "../src/ui/guess";
import { differing } from "../src/ui/proposals";
import { Timeline } from "../src/ui/replay";
import { spreadOver } from "../src/ui/settings";
import { isTracing } from "../src/ui/tracing";

const LINE: Stroke = Array.from({ length: 21 }, (_, i): Point => [i * 20, 0]);
const along = (length: number, beside = 0): Point[] =>
  Array.from({ length: Math.floor(length / 4) + 1 }, (_, i): Point => [i * 4, beside]);

describe("tracing a proposal", () => {
  it("takes it after a seventh of its first line", () => {
    expect(isTracing(along(40), LINE)).toBe(false);
    expect(isTracing(along(64), LINE)).toBe(true);
  });

  it("may be a little beside the line", () => {
    expect(isTracing(along(64, 20), LINE)).toBe(true);
    expect(isTracing(along(64, 34), LINE)).toBe(false);
  });

  it("begins where the line begins", () => {
    expect(
      isTracing(
        along(64).map(([x, y]): Point => [x + 200, y]),
        LINE,
      ),
    ).toBe(false);
  });

  it("does not leave the line", () => {
    expect(isTracing([...along(40), [40, 60], [60, 60]], LINE)).toBe(false);
  });

  it("of a dot is not possible", () => {
    expect(isTracing(along(64), [[0, 0]])).toBe(false);
  });
});

describe("ways to go on", () => {
  const circle = (x: number): Stroke =>
    Array.from({ length: 20 }, (_, n): Point => [x + 50 * Math.cos(n / 3), 50 * Math.sin(n / 3)]);

  it("that look alike are offered once", () => {
    const way = [LINE, circle(0)];
    const nearly = way.map((stroke) => stroke.map(([x, y]): Point => [x + 3, y - 2]));
    expect(differing([way, nearly, [circle(300)], way])).toEqual([way, [circle(300)]]);
  });

  it("of which one adds more are two", () => {
    expect(differing([[LINE], [LINE, circle(200)]])).toHaveLength(2);
  });
});

describe("rows on the dial", () => {
  it("differ wherever it stands, and stay on it", () => {
    expect(spreadOver(0, 3)).toEqual([0, 0.25, 0.5]);
    expect(spreadOver(0.5, 3)).toEqual([0.25, 0.5, 0.75]);
    expect(spreadOver(1, 3)).toEqual([0.5, 0.75, 1]);
  });
});

describe("a guess", () => {
  const words = (...guesses: [string, number][]): string =>
    guessInWords(guesses.map(([category, probability]) => ({ category, probability })));

  it("is said as surely as it is", () => {
    expect(words(["cat", 0.9], ["dog", 0.05])).toBe("I see a cat.");
    expect(words(["owl", 0.4], ["angel", 0.3])).toBe("Perhaps an owl, or an angel?");
    expect(words(["The Eiffel Tower", 0.5], ["cat", 0.01])).toBe("Perhaps The Eiffel Tower?");
    expect(words(["cat", 0.1], ["dog", 0.1])).toBe("");
    expect(words()).toBe("");
  });
});

describe("blending", () => {
  const [a, b] = [Float32Array.of(2, 0, 0), Float32Array.of(0, 4, 0)];

  it("begins and ends at the codes", () => {
    expect([...slerp(a, b, 0)]).toEqual([2, 0, 0]);
    expect(slerp(a, b, 1)[1]).toBeCloseTo(4);
  });

  it("turns evenly, and so does the length change", () => {
    const half = slerp(a, b, 0.5);
    expect(Math.hypot(...half)).toBeCloseTo(3);
    expect(half[0]).toBeCloseTo(half[1]!);
  });

  it("goes the straight way between parallel codes and through nothing", () => {
    expect([...slerp(a, Float32Array.of(4, 0, 0), 0.5)]).toEqual([3, 0, 0]);
    expect([...slerp(new Float32Array(3), b, 0.5)]).toEqual([0, 2, 0]);
  });

  it("has its corners in the corners", () => {
    const corners = [a, b, Float32Array.of(0, 0, 3), Float32Array.of(1, 1, 1)] as const;
    expect(slerpAmong(corners, 1, 0)[1]).toBeCloseTo(4);
    expect(slerpAmong(corners, 0, 1)[2]).toBeCloseTo(3);
    expect(slerpAmong(corners, 1, 1)[0]).toBeCloseTo(1);
  });
});

describe("the speed of a hand", () => {
  const square: Stroke = [
    [0, 0],
    [255, 0],
    [255, 255],
    [0, 255],
    [0, 0],
  ];

  it("draws one stroke after the other, with a pause between", () => {
    const { parts, seconds } = new Timeline(
      {
        strokes: [
          square,
          [
            [100, 100],
            [150, 100],
          ],
        ],
      },
      255,
    );
    expect(parts[1]!.begins).toBeGreaterThan(parts[0]!.begins + parts[0]!.takes);
    expect(seconds).toBeGreaterThan(1.5);
    expect(seconds).toBeLessThan(5);
  });

  it("does not depend on the scale", () => {
    const small = square.map(([x, y]): Point => [x / 10, y / 10]);
    expect(new Timeline({ strokes: [small] }, 25.5).seconds).toBeCloseTo(
      new Timeline({ strokes: [square] }, 255).seconds,
    );
  });
});

it("a frame grows about its middle until the drawing is in it", () => {
  const frame = { side: 100, centre: [50, 50] as const };
  expect(
    including(frame, {
      strokes: [
        [
          [0, 0],
          [50, 80],
        ],
      ],
    }),
  ).toEqual(frame);
  expect(
    including(frame, {
      strokes: [
        [
          [0, 0],
          [50, 130],
        ],
      ],
    }).side,
  ).toBe(160);
});
