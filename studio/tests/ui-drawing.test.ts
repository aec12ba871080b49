import { describe, expect, it } from "vitest";
import type { Drawing, Point, Stroke } from "../src/core/types";
import { slerp, slerpAmong } from "../src/ui/blending";
import { including } from "../src/ui/frames";
import { additions } from "../src/ui/proposals";
import { Timeline } from "../src/ui/replay";
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

describe("what a completion adds", () => {
  const before: Drawing = {
    strokes: [
      [
        [0, 0],
        [10, 0],
      ],
      [
        [5, 5],
        [6, 6],
      ],
    ],
  };

  it("is the strokes after the started ones", () => {
    const drawing = { strokes: [...before.strokes, [[1, 1] as const, [2, 2] as const]] };
    expect(additions({ drawing, started: 2, finished: 0 }, before)).toEqual([
      [
        [1, 1],
        [2, 2],
      ],
    ]);
  });

  it("and the rest of the last line, from where the pen was", () => {
    const drawing: Drawing = {
      strokes: [
        before.strokes[0]!,
        [
          [5, 5],
          [6, 6],
          [9, 9],
        ],
        [[0, 7]],
      ],
    };
    expect(additions({ drawing, started: 2, finished: 0 }, before)).toEqual([
      [
        [6, 6],
        [9, 9],
      ],
      [[0, 7]],
    ]);
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
