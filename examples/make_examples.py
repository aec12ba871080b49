"""Draws the example pictures of this folder: `python examples/make_examples.py`. Every stroke is designed here."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sketch_pix2seq import Sketch

HERE = Path(__file__).resolve().parent
Line = NDArray[np.float64]
Point = tuple[float, float]


def curve(*points: Point) -> Line:
    """A smooth line through points (Catmull-Rom); it closes where the last point is the first."""
    p = np.array(points, np.float64)
    closed = points[0] == points[-1]
    before, after = (p[-2], p[1]) if closed else (2 * p[0] - p[1], 2 * p[-1] - p[-2])
    p = np.concatenate([before[None], p, after[None]])
    t = np.linspace(0.0, 1.0, 12, endpoint=False)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*parts, p[-2:-1]])


def straight(*points: Point) -> Line:
    """Straight lines from point to point."""
    p = np.array(points, np.float64)
    t = np.linspace(0.0, 1.0, 10, endpoint=False)[:, None]
    return np.concatenate([*(a + (b - a) * t for a, b in pairwise(p)), p[-1:]])


def oval(x: float, y: float, rx: float, ry: float, start: float = -100.0, turn: float = 365.0) -> Line:
    """An ellipse or a part of one, from an angle (degrees, clockwise from the right) on; a little more than closed."""
    angle = np.radians(start + np.linspace(0.0, turn, max(8, int(abs(turn) / 6))))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def by_hand(lines: list[Line], seed: int, wobble: float = 0.7) -> list[Line]:
    """Lines on a canvas of 100 units as an unsteady hand draws them."""
    rng = np.random.default_rng(seed)
    shaky = []
    for line in lines:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        drift = np.zeros_like(line)
        for wave in (9.0, 22.0, 60.0):
            phase = rng.uniform(0.0, 2 * math.pi, 2)
            drift += wobble * rng.uniform(0.2, 0.6, 2) * np.sin(2 * math.pi * length[:, None] / wave + phase)
        shaky.append(line + drift * np.clip(length[-1] / 40.0, 0.15, 1.0) + rng.normal(0.0, 0.3, 2))
    return shaky


def pig() -> list[Line]:
    return [
        curve((36, 36), (52, 29), (72, 31), (86, 42), (88, 56), (82, 68), (66, 74), (48, 74), (38, 70)),
        oval(27, 50, 19, 20, -60),
        oval(20, 54, 8.5, 6.5, 150),
        oval(17.5, 54, 0.8, 1.4),
        oval(22.5, 54, 0.8, 1.4),
        oval(20, 42, 1.1, 1.1),
        oval(32, 42, 1.1, 1.1),
        curve((12, 36), (11, 29), (10, 22), (16, 25), (22, 31)),
        curve((33, 31), (38, 26), (44, 23), (44, 31), (42, 39)),
        curve((12, 64), (19, 67), (27, 65)),
        straight((44, 74), (44, 88), (51, 88), (51.5, 74)),
        straight((56, 75), (56.5, 87), (63, 87), (63, 75)),
        straight((71, 73), (72, 87), (79, 87), (79, 70)),
        curve((87, 50), (92, 50), (96, 46), (94, 41), (90, 43), (91, 49), (97, 53)),
    ]


def fish() -> list[Line]:
    return [
        curve(
            (70, 50), (58, 37), (42, 30), (24, 33), (10, 45), (8, 51), (13, 60), (28, 69), (46, 69), (60, 61), (70, 50)
        ),
        curve((70, 49), (80, 40), (92, 32), (90, 50), (93, 68), (81, 61), (70, 51)),
        oval(22, 46, 3.6, 3.6),
        oval(21.6, 46, 0.8, 0.8),
        curve((32, 36), (37, 44), (38, 54), (33, 65)),
        curve((10, 56), (16, 57), (20, 54)),
        curve((36, 31), (44, 20), (56, 22), (58, 37)),
        curve((46, 69), (50, 79), (58, 77), (57, 63)),
        curve((47, 43), (51, 48), (47, 53)),
        curve((55, 45), (59, 50), (55, 55)),
    ]


def sun() -> list[Line]:
    rays = []
    for turn in range(0, 360, 30):
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        reach = 44 if turn % 60 else 47
        rays.append(straight((50 + 28 * c, 50 + 28 * s), (50 + reach * c, 50 + reach * s)))
    return [oval(50, 50, 22, 22), *rays]


def car() -> list[Line]:
    return [
        curve(
            (13, 63),
            (6, 62),
            (5, 52),
            (10, 46),
            (24, 43),
            (33, 30),
            (42, 26),
            (60, 26),
            (70, 32),
            (78, 43),
            (91, 47),
            (96, 55),
            (94, 62),
            (87, 63),
        ),
        straight((33, 64), (67, 64)),
        oval(23, 64, 9.5, 9.5),
        oval(77, 64, 9.5, 9.5),
        oval(23, 64, 3.2, 3.2),
        oval(77, 64, 3.2, 3.2),
        straight((32, 43), (39, 32), (49, 31), (49, 43), (32, 43)),
        straight((54, 43), (54, 31), (63, 32), (71, 43), (54, 43)),
        straight((53, 50), (59, 50)),
        oval(92, 52, 2.2, 2.6),
    ]


def butterfly() -> list[Line]:
    left_top: list[Point] = [(47, 46), (38, 28), (24, 15), (9, 18), (6, 33), (14, 47), (30, 53), (47, 52)]
    left_low: list[Point] = [(47, 55), (31, 56), (18, 64), (17, 78), (27, 86), (39, 79), (47, 62)]

    def mirrored(points: list[Point]) -> list[Point]:
        return [(100 - x, y) for x, y in points]

    return [
        oval(50, 54, 3.4, 20),
        oval(50, 30, 4, 4.4),
        curve(*left_top),
        curve(*mirrored(left_top)),
        curve(*left_low),
        curve(*mirrored(left_low)),
        curve((48, 26), (44, 16), (38, 10), (34, 13)),
        curve((52, 26), (56, 16), (62, 10), (66, 13)),
        oval(23, 32, 6, 6.5),
        oval(77, 32, 6, 6.5),
        oval(29, 70, 4, 4),
        oval(71, 70, 4, 4),
    ]


def mushroom() -> list[Line]:
    return [
        curve((10, 52), (13, 34), (28, 18), (50, 12), (73, 19), (87, 35), (90, 52)),
        curve((10, 52), (30, 57), (50, 58), (70, 57), (90, 52)),
        curve((39, 58), (41, 70), (38, 84), (42, 90), (58, 90), (62, 84), (59, 70), (61, 58)),
        oval(33, 36, 6, 5),
        oval(55, 27, 7, 5.5),
        oval(72, 42, 5.5, 5),
        oval(50, 45, 4.5, 4),
    ]


def face() -> list[Line]:
    return [
        oval(50, 52, 33, 40),
        oval(37, 42, 5.5, 4),
        oval(63, 42, 5.5, 4),
        oval(37.5, 42, 1.2, 1.2),
        oval(63.5, 42, 1.2, 1.2),
        curve((30, 34), (36, 31), (43, 33)),
        curve((57, 33), (64, 31), (70, 34)),
        curve((50, 45), (46, 58), (51, 61), (54, 59)),
        curve((34, 70), (42, 77), (53, 79), (66, 70)),
        curve((17, 47), (11, 45), (11, 58), (18, 61)),
        curve((83, 47), (89, 45), (89, 58), (82, 61)),
        straight((27, 22), (32, 6), (38, 20), (44, 4), (50, 19), (56, 4), (62, 20), (68, 7), (73, 22)),
    ]


def ice_cream() -> list[Line]:
    return [
        straight((29, 48), (50, 96), (71, 48)),
        curve((25, 48), (35, 51), (50, 52), (65, 51), (75, 48)),
        curve(
            (26, 48), (21, 38), (28, 27), (37, 25), (40, 14), (51, 8), (62, 14), (64, 25), (73, 28), (79, 38), (74, 48)
        ),
        curve((37, 25), (45, 29), (55, 29), (64, 25)),
        straight((36, 51), (58, 78)),
        straight((49, 52), (64, 66)),
        straight((64, 51), (42, 78)),
        straight((51, 52), (36, 65)),
        oval(53, 5, 3, 3),
    ]


def ink(
    lines: list[Line], size: tuple[int, int], width: float, scale: float, corner: tuple[float, float]
) -> NDArray[np.float64]:
    """Coverage of a pen, 0 to 1, on a picture of (width, height) pixels; canvas 0, 0 lies at ``corner``."""
    sheet = np.zeros((2 * size[1], 2 * size[0]), np.uint8)
    for line in lines:
        points = np.rint((line * scale + corner) * 32).astype(np.int32)
        cv2.polylines(sheet, [points], False, 255, round(2 * width), cv2.LINE_AA, 4)
    return np.asarray(cv2.resize(sheet, size, interpolation=cv2.INTER_AREA), np.float64) / 255.0


def picture(lines: list[Line], pen: tuple[int, int, int], paper: tuple[int, int, int], width: float) -> Image.Image:
    """A clean picture, 600 x 600 pixels."""
    cover = ink(lines, (600, 600), width, 5.2, (40, 40))[..., None]
    return Image.fromarray(np.rint(cover * np.array(pen) + (1 - cover) * np.array(paper)).astype(np.uint8))


def photo(lines: list[Line], seed: int) -> Image.Image:
    """Pencil on paper as a telephone sees it: tilted, shaded, grainy; 1600 x 1200 pixels."""
    rng = np.random.default_rng(seed)
    width, height = 1600, 1200
    tilt = math.radians(-4.0)
    turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    cover = ink([(line - 50) @ turn.T for line in lines], (width, height), 6, 9.5, (790, 610))
    grain = cv2.GaussianBlur(rng.normal(0.0, 1.0, (height, width)), (0, 0), 1.3)
    grain /= grain.std()
    y, x = np.mgrid[0:height, 0:width] / 1200.0
    light = 1.02 - 0.30 * x - 0.12 * y
    shadow = 1.0 - 0.28 / (1.0 + np.exp(-(x - 0.5 * y - 0.72) * 25.0))
    grey = (226.0 + 2.2 * grain - cover * 105.0 * np.clip(0.8 + 0.18 * grain, 0.3, 1.0)) * light * shadow
    colour = cv2.GaussianBlur(grey[..., None] * np.array([1.0, 0.985, 0.94]), (0, 0), 1.0)
    return Image.fromarray(np.clip(colour + rng.normal(0.0, 1.5, colour.shape), 0, 255).astype(np.uint8))


def felt_pens(lines: list[Line], pens: list[tuple[int, int, int]]) -> Image.Image:
    """Coloured lines on nothing, 600 x 600 pixels; one pen a line."""
    sheet = Image.new("RGBA", (600, 600), (255, 255, 255, 0))
    for line, pen in zip(lines, pens, strict=True):
        cover = np.rint(ink([line], (600, 600), 9, 5.2, (40, 40)) * 255).astype(np.uint8)
        one = np.dstack([np.full((600, 600, 3), pen, np.uint8), cover])
        sheet.alpha_composite(Image.fromarray(one))
    return sheet


def main() -> None:
    picture(by_hand(pig(), 1), (0, 0, 0), (255, 255, 255), 5).save(HERE / "pig.png", optimize=True)
    picture(by_hand(car(), 4), (255, 255, 255), (16, 34, 84), 5).save(HERE / "car.png", optimize=True)
    picture(by_hand(ice_cream(), 8), (60, 40, 30), (255, 252, 244), 6).save(HERE / "ice-cream.png", optimize=True)
    picture(by_hand(mushroom(), 6), (20, 20, 20), (255, 255, 255), 5).quantize(16).save(HERE / "mushroom.gif")
    wings, body = (122, 40, 170), (60, 40, 30)
    pens = [body, body, wings, wings, wings, wings, body, body, *[(226, 100, 20)] * 4]
    felt_pens(by_hand(butterfly(), 5), pens).save(HERE / "butterfly.webp", quality=80, method=6)
    orientation = Image.Exif()
    orientation[0x0112] = 6
    sideways = photo(by_hand(fish(), 2), 2).transpose(Image.Transpose.ROTATE_90)
    sideways.save(HERE / "fish.jpg", quality=60, exif=orientation)
    for name, lines in (("sun", by_hand(sun(), 3)), ("face", by_hand(face(), 7))):
        sketch = Sketch(tuple(line.astype(np.float32) for line in lines), name)
        sketch.fit().simplify(0.5).save(HERE / f"{name}.svg")


if __name__ == "__main__":
    main()
