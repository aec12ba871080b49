"""Where things lie: inherited style, viewports, origins and percentages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from sketch_pix2seq.formats.svg import limits, values
from sketch_pix2seq.formats.svg.css import INHERITED, Declared, resolved
from sketch_pix2seq.formats.svg.document import Node
from sketch_pix2seq.formats.svg.values import Matrix

_INHERITED: Final = frozenset(INHERITED)
_INITIAL: Final = {"fill": "black", "stroke": "none", "visibility": "visible", "stroke-width": "1"}
_FONT_SIZES: Final = {
    "xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0, "xx-large": 32.0,
}  # fmt: skip
_LEAST_SIZE: Final = 1e-3
"""Least width and height in pixels of a document that is taken at its word."""
_KEYWORDS: Final = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
_ALIGNED: Final = {"min": 0.0, "mid": 0.5, "max": 1.0}
_LANGUAGE: Final = "en"


def inherit(declared: Declared, parent: Mapping[str, str]) -> Mapping[str, str]:
    """The inherited properties and variables of an element; ``font-size`` in pixels."""
    own = {name: value for name, value in declared.items() if name in _INHERITED or name[:2] == "--"}
    if not own:
        return parent
    style = dict(parent)
    if any(name[:2] == "--" for name in own):
        style.update({name: value for name, value in own.items() if name[:2] == "--"})
    for name, value in own.items():
        put = resolved(value, style) if "var(" in value else value
        keyword = "unset" if put is None else put
        if keyword in ("inherit", "unset"):
            continue
        if keyword in ("initial", "revert"):
            style.pop(name, None)
            if name in _INITIAL:
                style[name] = _INITIAL[name]
        elif name == "font-size":
            style[name] = repr(_font_pixels(keyword, font_size(parent)))
        else:
            style[name] = keyword
    return style


def font_size(style: Mapping[str, str]) -> float:
    """In pixels."""
    text = style.get("font-size")
    return 16.0 if text is None else float(text)


def _font_pixels(text: str, parent: float) -> float:
    size = _FONT_SIZES.get(text) or values.length(text, parent, parent)
    return size if size is not None and 0 <= size < limits.MAX_COORDINATE else parent


def is_for_us(node: Node) -> bool:
    """Whether an element's conditions hold: no extension is needed, and its languages are none or have ours."""
    attributes = node.attributes
    if attributes.get("requiredExtensions", "").strip():
        return False
    languages = attributes.get("systemLanguage")
    return languages is None or any(
        language.strip().lower().partition("-")[0] == _LANGUAGE for language in languages.split(",")
    )


def extent(name: str, viewport: tuple[float, float]) -> float:
    """What a percentage of this attribute is of: width, height, or for a radius their quadratic mean."""
    if name == "r":
        return math.hypot(*viewport) / math.sqrt(2)
    return viewport[1] if name in ("y", "height", "ry", "cy", "y1", "y2") else viewport[0]


def plausible(size: float | None) -> bool:
    """Whether a document's width or height is missing or one that can be shown."""
    return size is None or size <= 0 or _LEAST_SIZE <= size < limits.MAX_COORDINATE


def position(text: str, size: tuple[float, float], font: float) -> tuple[float, float]:
    """``transform-origin`` in a box of this size."""
    words = text.lower().replace(",", " ").split()[:2] or ["0"]
    if len(words) == 1:
        words = ["center", words[0]] if words[0] in ("top", "bottom") else [words[0], "center"]
    if words[0] in ("top", "bottom") or words[1] in ("left", "right"):
        words.reverse()
    found = []
    for word, whole in zip(words, size, strict=True):
        part = _KEYWORDS.get(word)
        amount = values.length(word, whole, font) if part is None else part * whole
        found.append(amount if amount is not None and math.isfinite(amount) else 0.0)
    return found[0], found[1]


def fitted(width: float, height: float, box: list[float], aspect: str) -> Matrix:
    """The matrix that fits a ``viewBox`` into a viewport at (0, 0) (SVG 2, section 8.2)."""
    left, top, across, down = box
    words = aspect.replace("defer", "").split() or ["xMidYMid"]
    horizontal, vertical = width / across, height / down
    if words[0] == "none":
        return horizontal, 0.0, 0.0, vertical, -left * horizontal, -top * vertical
    scale = max(horizontal, vertical) if "slice" in words else min(horizontal, vertical)
    align = words[0].lower()
    x, y = _ALIGNED.get(align[1:4], 0.5), _ALIGNED.get(align[5:8], 0.5)
    return (
        scale,
        0.0,
        0.0,
        scale,
        (width - across * scale) * x - left * scale,
        (height - down * scale) * y - top * scale,
    )


def reference_point(node: Node, name: str, box: list[float], matrix: Matrix, default: float | None = None) -> float:
    """``refX`` or ``refY`` of a symbol or marker, after its viewBox is fitted; 0 where it has none."""
    text = node.attributes.get(name, "").strip()
    side = name == "refY"
    part = _KEYWORDS.get(text)
    start, whole = box[side], box[2 + side]
    amount = start + part * whole if part is not None else values.length(text, whole)
    if amount is None:
        amount = default
    if amount is None or not math.isfinite(amount):
        return 0.0
    return matrix[3] * amount + matrix[5] if side else matrix[0] * amount + matrix[4]
