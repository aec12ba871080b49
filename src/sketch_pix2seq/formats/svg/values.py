"""Lengths, colours and transforms, as attributes and CSS write them."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final, TypeAlias

from tinycss2.color4 import parse_color

Matrix: TypeAlias = tuple[float, float, float, float, float, float]
"""``(a, b, c, d, e, f)``: x' = a x + c y + e, y' = b x + d y + f."""
Paint: TypeAlias = tuple[int, int, int, float]
"""Red, green and blue from 0 to 255 and alpha from 0 to 1. A red below 0 stands for a colour that is not known."""

IDENTITY: Final[Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
UNKNOWN: Final[Paint] = (-1, -1, -1, 1.0)

_UNITS: Final = {
    "": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96 / 72, "pc": 16.0,
    "rem": 16.0,
}  # fmt: skip
_FONT_UNITS: Final = {"em": 1.0, "ex": 0.5, "ch": 0.5}
_ANGLES: Final = {"": 1.0, "deg": 1.0, "grad": 0.9, "rad": 180 / math.pi, "turn": 360.0}
NUMBER: Final = r"[-+]?+(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?+"
"""Possessive: a text that is no number is given up at once."""
_NUMBERS = re.compile(NUMBER)
_LENGTH = re.compile(rf"({NUMBER})\s*+(%|[a-zA-Z]*+)")
_ARGUMENT = re.compile(rf"[\s,]*+({NUMBER})(%|[a-zA-Z]*+)")
_FUNCTION = re.compile(r"[\s,]*+([a-zA-Z0-9]++)\s*+\(([^()]*+)\)")
_HEX = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})")
_RGB = re.compile(r"rgb\(\s*+([0-9]{1,3}+)\s*+,\s*+([0-9]{1,3}+)\s*+,\s*+([0-9]{1,3}+)\s*+\)")
_SKEW: Final = frozenset({"skewX", "skewY"})


def numbers(text: str) -> list[float]:
    """All numbers in a text."""
    return [float(number) for number in _NUMBERS.findall(text)]


def length(text: str | None, whole: float, font_size: float = 16.0) -> float | None:
    """A length in CSS pixels; ``whole`` is what 100 % is. None for a missing, odd or `auto` one."""
    if text is None:
        return None
    try:
        return (
            float(text)
            if len(text) < 40 and "_" not in text and text[-1:].isdigit()
            else _length(text, whole, font_size)
        )
    except ValueError:
        return _length(text, whole, font_size)


def _length(text: str, whole: float, font_size: float) -> float | None:
    text = text.strip()
    match = _LENGTH.fullmatch(text)
    if match is None:
        return _sum(text[5:-1], whole, font_size) if text.startswith("calc(") and text.endswith(")") else None
    amount, unit = float(match[1]), match[2].lower()
    if unit in ("%", "vw", "vh", "vmin", "vmax"):
        return amount * whole / 100
    if unit in _FONT_UNITS:
        return amount * _FONT_UNITS[unit] * font_size
    return amount * _UNITS[unit] if unit in _UNITS else None


def _sum(text: str, whole: float, font_size: float) -> float | None:
    """The sum that a `calc` of plain lengths states; None for any other calculation."""
    words = text[:200].split()
    total, sign = 0.0, 1.0
    for place, word in enumerate(words):
        if place % 2:
            if word not in ("+", "-"):
                return None
            sign = 1.0 if word == "+" else -1.0
        else:
            amount = None if word.startswith("calc") else _length(word, whole, font_size)
            if amount is None:
                return None
            total += sign * amount
    return total if len(words) % 2 else None


def share(text: str | None, default: float = 1.0) -> float:
    """An opacity from 0 to 1: a number or a percentage."""
    value = length(text, 1.0)
    return default if value is None else min(1.0, max(0.0, value))


@lru_cache(maxsize=4096)
def colour(text: str) -> Paint | None:
    """A colour; None for a text that is none. ``currentcolor`` is not one here."""
    text = text.strip().lower()
    match = _HEX.fullmatch(text)
    if match:
        digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16), 1.0
    match = _RGB.fullmatch(text)
    if match:
        return min(255, int(match[1])), min(255, int(match[2])), min(255, int(match[3])), 1.0
    if len(text) > 100:
        return None
    try:
        found = parse_color(text)
    except ValueError:
        return None
    if found is None or isinstance(found, str):
        return None
    try:
        red, green, blue = (round(255 * min(1.0, max(0.0, part))) for part in found.to("srgb").coordinates)
    except (NotImplementedError, TypeError, ValueError):
        return *UNKNOWN[:3], found.alpha
    return red, green, blue, found.alpha


# -- transforms -------------------------------------------------------------------------------------------


def multiplied(m: Matrix, n: Matrix) -> Matrix:
    """First ``n``, then ``m``."""
    a, b, c, d, e, f = m
    g, h, i, j, k, o = n
    return a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * o + e, b * k + d * o + f


def translation(x: float, y: float) -> Matrix:
    return 1.0, 0.0, 0.0, 1.0, x, y


def around(matrix: Matrix, x: float, y: float) -> Matrix:
    """The matrix with ``(x, y)`` as its origin."""
    return multiplied(multiplied(translation(x, y), matrix), translation(-x, -y))


def size_of(m: Matrix) -> float:
    """How many times larger things become: the root of the change of their area."""
    return math.sqrt(abs(m[0] * m[3] - m[1] * m[2]))


def transform(text: str, box: tuple[float, float] = (0.0, 0.0), font_size: float = 16.0) -> Matrix | None:
    """The matrix of a list of transforms, of SVG or CSS; None where it cannot be read.

    box: width and height that a percentage is of.
    """
    matrix, place = IDENTITY, 0
    text = text.strip()
    if text in ("", "none"):
        return matrix
    while place < len(text):
        match = _FUNCTION.match(text, place)
        one = None if match is None else _one(match[1], match[2], box, font_size)
        if match is None or one is None:
            return None
        matrix, place = multiplied(matrix, one), match.end()
    return matrix if all(map(math.isfinite, matrix)) else None


def _one(name: str, text: str, box: tuple[float, float], font_size: float) -> Matrix | None:
    arguments: list[tuple[str, str]] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = _ARGUMENT.match(text, place)
        if match is None or len(arguments) > 16:
            return None
        arguments.append((match[1], match[2].lower()))
        place = match.end()

    def lengths() -> list[float]:
        found = [
            length(number + unit, whole, font_size) for (number, unit), whole in zip(arguments, box * 2, strict=False)
        ]
        return [math.nan if value is None else value for value in found]

    plain = [float(number) / (100 if unit == "%" else 1) for number, unit in arguments]
    angles = [float(number) * _ANGLES.get(unit, math.nan) for number, unit in arguments]
    count = len(arguments)
    if name in ("matrix", "matrix3d") and count == (6 if name == "matrix" else 16):
        a, b, c, d, e, f = plain if count == 6 else (plain[n] for n in (0, 1, 4, 5, 12, 13))
        return a, b, c, d, e, f
    if name in ("translate", "translate3d") and 1 <= count <= (2 if name == "translate" else 3):
        x, y = (*lengths(), 0.0)[:2]
        return translation(x, y)
    if name in ("translateX", "translateY") and count == 1:
        (number, unit), whole = arguments[0], box[name == "translateY"]
        amount = length(number + unit, whole, font_size)
        amount = math.nan if amount is None else amount
        return translation(amount, 0.0) if name == "translateX" else translation(0.0, amount)
    if name in ("scale", "scale3d") and 1 <= count <= (2 if name == "scale" else 3):
        return plain[0], 0.0, 0.0, plain[1] if count > 1 else plain[0], 0.0, 0.0
    if name in ("scaleX", "scaleY") and count == 1:
        return (plain[0], 0.0, 0.0, 1.0, 0.0, 0.0) if name == "scaleX" else (1.0, 0.0, 0.0, plain[0], 0.0, 0.0)
    return _turned(name, angles, plain)


def _turned(name: str, angles: list[float], plain: list[float]) -> Matrix | None:
    count = len(angles)
    radians = [math.radians(angle) if abs(angle) < 1e12 else math.nan for angle in angles]
    if name in ("rotate", "rotateZ") and count in (1, 3):
        cosine, sine = math.cos(radians[0]), math.sin(radians[0])
        turn = (cosine, sine, -sine, cosine, 0.0, 0.0)
        return turn if count == 1 else around(turn, plain[1], plain[2])
    if name in _SKEW and count == 1:
        slope = math.tan(radians[0])
        return (1.0, 0.0, slope, 1.0, 0.0, 0.0) if name == "skewX" else (1.0, slope, 0.0, 1.0, 0.0, 0.0)
    if name == "skew" and count in (1, 2):
        return 1.0, math.tan(radians[1]) if count > 1 else 0.0, math.tan(radians[0]), 1.0, 0.0, 0.0
    return None
