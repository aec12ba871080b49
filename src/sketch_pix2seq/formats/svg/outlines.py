"""Path data and basic shapes as outlines: start points, lines and cubic curves."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from sketch_pix2seq.formats.svg.values import IDENTITY, NUMBER, Matrix
from sketch_pix2seq.sketch import DoubleArray

_TOKEN = re.compile(rf"{NUMBER}|[^\s,]")
_NUMBER = re.compile(NUMBER)
_COUNTS: Final = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_NOT_NUMBERS = re.compile(r"[^\d\seE+\-.,]")
_EIGHTH = math.pi / 4
_LINE, _CUBIC = 1, 3


@dataclass(frozen=True, slots=True)
class Outline:
    """One subpath.

    points: ``(n, 2)``: the start, then of each line its end and of each cubic curve two control points and its end.
    degrees: one byte a piece: 1 for a line, 3 for a curve.
    """

    points: DoubleArray
    degrees: bytes
    closed: bool = False

    def moved(self, m: Matrix) -> Outline:
        if m == IDENTITY:
            return self
        points = self.points @ np.array(((m[0], m[1]), (m[2], m[3])))
        points += (m[4], m[5])
        return Outline(points, self.degrees, self.closed)

    def is_straight(self) -> bool:
        return _CUBIC not in self.degrees

    def ends(self) -> DoubleArray:
        """The start and the end of each piece, ``(pieces + 1, 2)``."""
        ends: DoubleArray = self.points[np.concatenate([[0], np.cumsum(np.frombuffer(self.degrees, np.uint8))])]
        return ends


class _Pen:
    """Collects outlines as flat lists of numbers."""

    def __init__(self) -> None:
        self.outlines: list[Outline] = []
        self.x = self.y = self.start_x = self.start_y = 0.0
        self.points: list[float] = []
        self.degrees = bytearray()

    def move(self, x: float, y: float) -> None:
        self.finish()
        self.x = self.start_x = x
        self.y = self.start_y = y

    def _begin(self) -> None:
        if not self.degrees:
            self.points = [self.x, self.y]

    def line(self, x: float, y: float) -> None:
        self._begin()
        self.points += (x, y)
        self.degrees.append(_LINE)
        self.x, self.y = x, y

    def cubic(self, x1: float, y1: float, x2: float, y2: float, x: float, y: float) -> None:
        self._begin()
        self.points += (x1, y1, x2, y2, x, y)
        self.degrees.append(_CUBIC)
        self.x, self.y = x, y

    def close(self) -> None:
        if not self.degrees or (self.x, self.y) != (self.start_x, self.start_y):
            self.line(self.start_x, self.start_y)
        self.finish(closed=True)
        self.x, self.y = self.start_x, self.start_y

    def finish(self, *, closed: bool = False) -> None:
        if self.degrees:
            points = np.array(self.points).reshape(-1, 2)
            self.outlines.append(Outline(points, bytes(self.degrees), closed))
        self.points, self.degrees = [], bytearray()

    def arc(self, rx: float, ry: float, turn: float, large: bool, sweep: bool, x: float, y: float) -> None:
        """An elliptical arc as curves (SVG 2, appendix B.2.4 and B.2.5), each of at most an eighth of a turn."""
        x0, y0 = self.x, self.y
        rx, ry = abs(rx), abs(ry)
        if (x0, y0) == (x, y):
            return
        if not (rx > 0 and ry > 0 and math.isfinite(rx + ry + turn + x0 + y0 + x + y)):
            self.line(x, y)
            return
        angle = math.radians(math.fmod(turn, 360.0))
        cosine, sine = math.cos(angle), math.sin(angle)
        dx, dy = (x0 - x) / 2, (y0 - y) / 2
        u, v = (cosine * dx + sine * dy) / rx, (cosine * dy - sine * dx) / ry
        far = math.hypot(u, v)
        if not 0 < far < 1e30:
            self.line(x, y)
            return
        if far > 1:
            rx, ry, u, v = rx * far, ry * far, u / far, v / far
        square = u * u + v * v
        shift = math.sqrt(max(0.0, 1 - square) / square) * (-1 if large == sweep else 1)
        cu, cv = shift * v, -shift * u
        first, last = math.atan2(v - cv, u - cu), math.atan2(-v - cv, -u - cu)
        extent = last - first
        if sweep and extent < 0:
            extent += math.tau
        elif not sweep and extent > 0:
            extent -= math.tau
        pieces = max(1, math.ceil(abs(extent) / _EIGHTH - 1e-9))
        step = extent / pieces
        reach = 4 / 3 * math.tan(step / 4)
        middle_x = (x0 + x) / 2 + cosine * cu * rx - sine * cv * ry
        middle_y = (y0 + y) / 2 + sine * cu * rx + cosine * cv * ry
        ux, uy, vx, vy = cosine * rx, sine * rx, -sine * ry, cosine * ry
        for piece in range(pieces):
            a, b = first + piece * step, first + (piece + 1) * step
            p, q = math.cos(a) - reach * math.sin(a), math.sin(a) + reach * math.cos(a)
            r, s = math.cos(b) + reach * math.sin(b), math.sin(b) - reach * math.cos(b)
            end_x, end_y = (
                middle_x + math.cos(b) * ux + math.sin(b) * vx,
                middle_y + math.cos(b) * uy + math.sin(b) * vy,
            )
            if piece == pieces - 1:
                end_x, end_y = x, y
            self.cubic(
                middle_x + p * ux + q * vx, middle_y + p * uy + q * vy,
                middle_x + r * ux + s * vx, middle_y + r * uy + s * vy,
                end_x, end_y,
            )  # fmt: skip


def path_outlines(text: str) -> tuple[list[Outline], int, str | None]:
    """The subpaths of path data, the number of its tokens, and what is wrong with it.

    What comes before an error is drawn (SVG 2, section 9.5.4). A move that nothing follows draws nothing.
    """
    if text.strip() in ("", "none"):
        return [], 0, None
    tokens = _TOKEN.findall(text)
    tokens.reverse()
    pen, count = _Pen(), len(tokens)
    complete = _draw(pen, tokens)
    pen.finish()
    if complete:
        return pen.outlines, count, None
    return pen.outlines, count, _problem(text)


def _problem(text: str) -> str:
    odd = re.search(r"[^MmZzLlHhVvCcSsQqTtAa\d\seE+\-.,]", text)
    if odd is None:
        return f"path data that cannot be read: '{text.strip()[:60]}'"
    near = " ".join(text[max(0, odd.start() - 20) : odd.start() + 20].split())
    return f"path data that are not numbers, near '{near}'"


def _draw(pen: _Pen, tokens: list[str]) -> bool:
    """Draw the tokens, the last of the list first, up to the first error; whether there was none."""
    command, relative, last = "", False, ""
    control_x = control_y = 0.0
    repeated = False
    while tokens:
        token = tokens[-1]
        if token in "MmZzLlHhVvCcSsQqTtAa":
            tokens.pop()
            command, relative, repeated = token.upper(), token.islower(), False
            if not last and command != "M":
                return False
        elif not command or command == "Z":
            return False
        arguments = _arguments(command, tokens)
        if arguments is None:
            return False
        x, y = (pen.x, pen.y) if relative else (0.0, 0.0)
        if command == "Z":
            pen.close()
        elif command == "M" and not repeated:
            pen.move(x + arguments[0], y + arguments[1])
        elif command in ("M", "L"):
            pen.line(x + arguments[0], y + arguments[1])
        elif command == "H":
            pen.line(x + arguments[0], pen.y)
        elif command == "V":
            pen.line(pen.x, y + arguments[0])
        elif command == "A":
            rx, ry, turn, large, sweep, end_x, end_y = arguments
            pen.arc(rx, ry, turn, large > 0, sweep > 0, x + end_x, y + end_y)
        else:
            points = [(x, y)[place % 2] + value for place, value in enumerate(arguments)]
            if command in ("S", "T"):
                alike = last in ("C", "S") if command == "S" else last in ("Q", "T")
                reflected = (2 * pen.x - control_x, 2 * pen.y - control_y) if alike else (pen.x, pen.y)
                points = [*reflected, *points]
            control_x, control_y = points[-4:-2]
            if command in ("Q", "T"):
                qx, qy, end_x, end_y = points
                points = [
                    pen.x + (qx - pen.x) * 2 / 3, pen.y + (qy - pen.y) * 2 / 3,
                    end_x + (qx - end_x) * 2 / 3, end_y + (qy - end_y) * 2 / 3, end_x, end_y,
                ]  # fmt: skip
            pen.cubic(*points)
        last, repeated = command, True
    return True


def _arguments(command: str, tokens: list[str]) -> list[float] | None:
    """The next arguments of a command, taken off the tokens; None where one is missing or no number."""
    count = _COUNTS[command]
    if len(tokens) < count:
        return None
    if command == "A":
        return _arc_arguments(tokens)
    if not count:
        return []
    words = tokens[-count:]
    words.reverse()
    try:
        arguments = [float(word) for word in words]
    except ValueError:
        return None
    del tokens[-count:]
    return arguments


def _arc_arguments(tokens: list[str]) -> list[float] | None:
    """Of an arc, whose flags need no space after them."""
    arguments: list[float] = []
    for place in range(7):
        word = tokens.pop() if tokens else ""
        if place in (3, 4):
            if word[:1] not in ("0", "1"):
                return None
            if len(word) > 1:
                tokens.append(word[1:])
            word = word[:1]
        if not _NUMBER.fullmatch(word):
            return None
        arguments.append(float(word))
    return arguments


# -- basic shapes -----------------------------------------------------------------------------------------


def polyline_outlines(text: str, *, closed: bool) -> tuple[list[Outline], int, str | None]:
    """The outline of ``points``, the count of its numbers, and what is wrong with them."""
    odd, problem = _NOT_NUMBERS.search(text), None
    if odd:
        near = " ".join(text[max(0, odd.start() - 20) : odd.start() + 20].split())
        problem = f"points that are not numbers, near '{near}'"
        text = text[: odd.start()]
    numbers = [float(number) for number in _NUMBER.findall(text)]
    pen = _Pen()
    for place in range(0, len(numbers) - 1, 2):
        (pen.line if place else pen.move)(numbers[place], numbers[place + 1])
    if closed and len(numbers) > 1:
        pen.close()
    pen.finish()
    return pen.outlines, len(numbers), problem


def line_outline(x1: float, y1: float, x2: float, y2: float) -> Outline:
    return Outline(np.array(((x1, y1), (x2, y2))), bytes((_LINE,)))


def polygon_outline(points: DoubleArray, *, closed: bool = False) -> Outline:
    """Of points ``(n, 2)``, n at least 2, joined by lines."""
    return Outline(points, bytes((_LINE,)) * (len(points) - 1), closed)


def ellipse_outline(cx: float, cy: float, rx: float, ry: float) -> Outline:
    pen = _Pen()
    pen.move(cx + rx, cy)
    for x, y in ((cx, cy + ry), (cx - rx, cy), (cx, cy - ry), (cx + rx, cy)):
        pen.arc(rx, ry, 0.0, False, True, x, y)
    pen.finish(closed=True)
    return pen.outlines[0]


def rect_outline(x: float, y: float, width: float, height: float, rx: float | None, ry: float | None) -> Outline:
    """A rectangle; a radius that is None is as the other one."""
    rx = ry if rx is None or rx < 0 else rx
    ry = rx if ry is None or ry < 0 else ry
    rx, ry = min(rx or 0.0, width / 2), min(ry or 0.0, height / 2)
    right, bottom = x + width, y + height
    pen = _Pen()
    if not (rx > 0 and ry > 0):
        pen.move(x, y)
        for corner in ((right, y), (right, bottom), (x, bottom)):
            pen.line(*corner)
    else:
        pen.move(x + rx, y)
        sides = (
            (right - rx, y, right, y + ry), (right, bottom - ry, right - rx, bottom),
            (x + rx, bottom, x, bottom - ry), (x, y + ry, x + rx, y),
        )  # fmt: skip
        for to_x, to_y, end_x, end_y in sides:
            if (to_x, to_y) != (pen.x, pen.y):
                pen.line(to_x, to_y)
            pen.arc(rx, ry, 0.0, False, True, end_x, end_y)
    pen.close()
    return pen.outlines[0]
