"""SVG out: one path a stroke, in drawing order."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats.paper import PaperSize, Placement, placed
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

LINE_WIDTH = 3.0
"""Width of the line that is written, in units of a drawing whose longest side is 255."""
MARGIN = 8.0
"""Paper around the drawing that is written, in the same units."""
PIXELS = 200.0
"""Longest side in pixels of a picture that has no size in mm."""

_ANIMATION: Final = (
    "@media (prefers-reduced-motion:no-preference){"
    # The dash is a little off the line at first: round ends would show as a dot.
    "@keyframes NAME{from{stroke-dasharray:1 1.1;stroke-dashoffset:1.05}to{stroke-dasharray:1 1.1;stroke-dashoffset:0}}"
    ".NAME path{animation:NAME 1s linear backwards}}"
)
"""A line appears from its beginning to its end; before and after, and without animation, nothing is changed."""
_SVG = "http://www.w3.org/2000/svg"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_svg(path: str | Path, sketch: Sketch, *, paper: PaperSize = PaperSize()) -> Path:
    """Write `svg_text` to ``path``. Raises FileError where that cannot be done, SettingsError as `svg_text` does."""
    return write_whole(path, svg_text(sketch, paper=paper).encode())


def svg_text(
    sketch: Sketch,
    *,
    paper: PaperSize = PaperSize(),
    line_width: float = LINE_WIDTH,
    margin: float = MARGIN,
    drawn: Sequence[tuple[float, float]] | None = None,
) -> str:
    """The sketch as an SVG document: one ``<path>`` a stroke in drawing order, in the sketch's own coordinates.

    paper: size on paper; without one the longest side of the picture is 200 pixels.
    line_width, margin: in units of a drawing whose longest side is 255.
    drawn: when each stroke is drawn, its beginning and its length in seconds; viewers that animate show it being drawn,
    others, and those who asked for less motion, the whole drawing at once.
    A dot is the shortest line that can be written, with round caps. Raises SettingsError for a size on paper that is
    not possible.
    """
    left, top, right, bottom = sketch.bounds() if sketch.strokes else (0.0, 0.0, CANVAS_SIZE, CANVAS_SIZE)
    side = max(right - left, bottom - top)
    unit = side / CANVAS_SIZE if side > 0 else 1.0
    edge = margin * unit
    if paper == PaperSize():
        width, height = right - left + 2 * edge, bottom - top + 2 * edge
        place, suffix = Placement(PIXELS / max(width, height), left - edge, top - edge, width, height), ""
    else:
        place, suffix = placed((left, top, right, bottom), paper, edge), "mm"
    scale, *view = place
    decimals = decimals_for(side)
    number = [_number(value, decimals) for value in (*view, line_width * unit)]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="{_SVG}" width="{_number(place.width * scale, 2)}{suffix}"'
        f' height="{_number(place.height * scale, 2)}{suffix}"'
        f' viewBox="{" ".join(number[:4])}" style="background:#fff">',
    ]
    if sketch.category:
        lines.append(f"<title>{xml_text(sketch.category)}</title>")
    paths = [path_data(stroke, decimals) for stroke in sketch.strokes]
    group = f'<g fill="none" stroke="#000" stroke-width="{number[4]}" stroke-linecap="round" stroke-linejoin="round"'
    if drawn is None:
        lines.append(f"{group}>")
        lines.extend(f'<path d="{path}"/>' for path in paths)
    else:
        # In a notebook many of these lie in one document: a name of its own keeps each to its rules.
        name = f"drawn-{zlib.crc32(repr((paths, drawn)).encode()):08x}"
        lines.append(f"<style>{_ANIMATION.replace('NAME', name)}</style>")
        lines.append(f'{group} class="{name}">')
        lines.extend(
            f'<path pathLength="1" style="animation-delay:{_number(begin, 2)}s;'
            f'animation-duration:{_number(max(seconds, 0.01), 2)}s" d="{path}"/>'
            for path, (begin, seconds) in zip(paths, drawn, strict=True)
        )
    lines.append("</g>\n</svg>\n")
    return "\n".join(lines)


def path_data(stroke: FloatArray | DoubleArray, decimals: int = 2) -> str:
    """Path data ``M x,y L x,y ...`` of one stroke.

    A single point is the shortest line that these decimals can write: vpype drops a line of length zero.
    """
    points = stroke.tolist()
    if len(points) == 1:
        (x, y), shortest = points[0], 10.0**-decimals
        points = [(round(x, decimals), y), (round(x, decimals) + shortest, y)]
    first, *rest = [f"{_number(x, decimals)},{_number(y, decimals)}" for x, y in points]
    return f"M {first} L {' '.join(rest)}"


def decimals_for(side: float) -> int:
    """Decimals that keep a drawing of this longest side to 1 part in 10,000 of it, 2 at least."""
    return min(9, max(2, math.ceil(4 - math.log10(side)))) if side > 0 else 4


def xml_text(text: str) -> str:
    """Text for an XML document: escaped, without the characters that XML does not allow."""
    return escape(_NOT_XML.sub("", text), {'"': "&quot;"})


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
