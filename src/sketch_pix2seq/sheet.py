"""Pictures for people: one drawing, or a contact sheet of many. (Pictures for models are `raster.py`'s.)"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.sketch import DoubleArray, FloatArray, Sketch

if TYPE_CHECKING:
    from PIL import Image, ImageFont

Picture: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]

INK: Colour = (34, 34, 38)
"""The line, as red, green, blue."""
MAX_PIXELS = 150_000_000
"""Largest picture that is drawn."""

_SHIFT = 4
"""Fractional bits of OpenCV's sub-pixel coordinates."""
_MARGIN = 0.07
"""Paper on each side of a drawing, as a share of its picture."""
_MAKER = "sketch-pix2seq sheet"
"""What a sheet says of itself."""
_GREY, _DARK, _RULE = "#8a8a8a", "#333333", "#e4e4e4"


# -- one drawing ------------------------------------------------------------------------------------------


class Paper:
    """A picture to draw anti-aliased lines on: kept several times as fine, reduced by area when it is asked for.

    Coordinates are pixels, (0, 0) the upper left corner of the picture.
    """

    def __init__(self, width: int, height: int, ground: int | Colour) -> None:
        """ground: an int for a grey picture, or red, green, blue."""
        if width * height > MAX_PIXELS:
            raise SettingsError(f"a picture of {width} x {height} pixels is too large; choose a smaller size")
        longest = max(width, height)
        self._fine = 4 if longest <= 640 else 2 if longest <= 2560 else 1
        self.width, self.height = width, height
        shape = (height * self._fine, width * self._fine)
        colour = np.array(ground, np.uint8)
        self._canvas = np.broadcast_to(colour, shape + colour.shape).copy()

    def stroke(self, points: FloatArray | DoubleArray, line: float, colour: int | Colour) -> None:
        """Draw a polyline ``(n, 2)`` with round ends; a single point is a dot. ``line``: width in pixels."""
        fine = (np.asarray(points, np.float64) * self._fine - 0.5) * (1 << _SHIFT)
        path = np.rint(fine if len(fine) > 1 else np.repeat(fine, 2, axis=0)).astype(np.int32)
        cv2.polylines(self._canvas, [path], False, colour, _thickness(line * self._fine), cv2.LINE_AA, _SHIFT)

    def picture(self) -> Picture:
        """``(height, width)`` or ``(height, width, 3)``."""
        if self._fine == 1:
            return self._canvas.copy()
        return np.asarray(cv2.resize(self._canvas, (self.width, self.height), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=64)
def _thickness(width: float) -> int:
    """The thickness for which OpenCV paints a line nearest to this width: it paints wider than it is told."""

    def painted(thickness: int) -> float:
        strip = np.zeros((thickness + 16, 64), np.uint8)
        middle = len(strip) // 2
        cv2.line(strip, (-64, middle), (128, middle), 255, thickness, cv2.LINE_AA)
        return float(strip[:, 32].sum()) / 255

    return min(range(max(1, int(width) - 4), int(width) + 2), key=lambda thickness: abs(painted(thickness) - width))


def place(sketch: Sketch, size: float, *, margin: float | None = None) -> list[DoubleArray]:
    """The strokes moved and scaled into a square of side ``size``: centred, aspect kept, ``margin`` left free."""
    if not sketch.strokes:
        return []
    left, top, right, bottom = sketch.bounds()
    side = max(right - left, bottom - top)
    scale = (size - 2 * (_MARGIN * size if margin is None else margin)) / side if side > 0 else 1.0
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    return [(stroke.astype(np.float64) - centre) * scale + size / 2 for stroke in sketch.strokes]


def draw_sketch(sketch: Sketch, size: int, *, line: float | None = None, margin: float | None = None) -> Picture:
    """The sketch dark on white paper, ``(size, size, 3)`` red, green, blue.

    line, margin: in pixels; chosen by the size where they are None. A sketch without strokes gives blank paper.
    """
    paper = Paper(size, size, (255, 255, 255))
    for stroke in place(sketch, size, margin=margin):
        paper.stroke(stroke, line_width(size) if line is None else line, INK)
    return paper.picture()


def line_width(size: float) -> float:
    """A good width of the line in a picture of this size, both in pixels: finer, for its size, in a larger one."""
    return max(1.0, 0.6 + 0.01 * size)


def write_png(path: str | Path, sketch: Sketch, size: int = 512) -> Path:
    """Write `draw_sketch` as PNG. Raises FileError where that cannot be done, SettingsError for an odd size."""
    if size < 1:
        raise SettingsError(f"a picture of {size} pixels is not possible; give at least 1")
    return write_whole(path, _png(draw_sketch(sketch, size)))


def _png(picture: Picture) -> bytes:
    from PIL import Image

    return _encoded(Image.fromarray(picture))


def _encoded(image: Image.Image, maker: str = "") -> bytes:
    from PIL.PngImagePlugin import PngInfo

    file, about = io.BytesIO(), PngInfo()
    if maker:
        about.add_text("Software", maker)
    image.save(file, "PNG", pnginfo=about)
    return file.getvalue()


# -- many drawings ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture of a sheet."""

    drawing: Sketch | Picture
    """A sketch, or ink ``(n, n)``, 255 = line, such as what a model saw."""
    caption: str = ""
    """A few words below, in small grey type."""
    highlight: str | None = None
    """Colour of a frame, such as ``#2a9d5c``."""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a sheet."""

    label: str
    cells: Sequence[Cell]


class _Painter(Protocol):
    """What a sheet is made of; one painter writes PNG, one SVG. x, y, sizes in pixels."""

    def text(self, x: float, y: float, text: str, size: int, colour: str, anchor: str) -> None:
        """``y`` is the middle of the line; ``anchor`` is start, middle or end."""

    def rule(self, x: float, y: float, width: float) -> None: ...

    def frame(self, x: float, y: float, side: float, colour: str, width: int) -> None: ...

    def sketch(self, x: float, y: float, side: int, sketch: Sketch) -> None: ...

    def ink(self, x: float, y: float, side: int, ink: Picture) -> None:
        """``ink`` has ``side`` pixels a side."""

    def finished(self) -> bytes: ...


def write_sheet(
    path: str | Path,
    rows: Sequence[Row],
    *,
    cell: int = 112,
    title: str | None = None,
    columns: Sequence[str] = (),
) -> Path:
    """Write a contact sheet, .png or .svg: labels at the left, captions below the cells.

    cell: side of a picture in pixels; type and spacing follow it. columns: headings.
    Raises FileError for another suffix or where the file cannot be written, SettingsError where there is nothing to
    show or the sheet would be too large.
    """
    painters: dict[str, Callable[[int, int], _Painter]] = {".png": _PngPainter, ".svg": _SvgPainter}
    suffix = Path(path).suffix.lower()
    if suffix not in painters:
        raise FileError(path, "a sheet is written as .png or .svg")
    if cell < 16:
        raise SettingsError(f"cells of {cell} pixels are too small to show a drawing; give at least 16")
    if not any(row.cells for row in rows):
        raise SettingsError("there is nothing to show on a sheet: no drawings")
    return write_whole(path, _paint(painters[suffix], rows, cell, title, columns))


def is_sheet(path: Path) -> bool:
    """Whether a file is a contact sheet that `write_sheet` wrote; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return _MAKER.encode() in file.read(500)
    except OSError:
        return False


def _paint(
    painter_of: Callable[[int, int], _Painter],
    rows: Sequence[Row],
    cell: int,
    title: str | None,
    columns: Sequence[str],
) -> bytes:
    label_size, caption_size, title_size = max(10, round(cell * 0.125)), max(8, round(cell * 0.095)), round(cell * 0.19)
    edge, gap, leading = round(cell * 0.2), max(4, round(cell * 0.1)), 1.25
    n_columns = max(len(row.cells) for row in rows)
    labels = [_wrapped(row.label, round(cell * 1.2), label_size) for row in rows]
    label_width = round(max((_width(line, label_size) for lines in labels for line in lines), default=0))
    x0 = edge + (label_width + 2 * gap if label_width else 0)
    caption_height = round(caption_size * leading) + 2
    heights = [cell + (caption_height if any(c.caption for c in row.cells) else 0) for row in rows]
    title_height = round(title_size * 1.8) if title else 0
    heading_height = round(caption_size * 2) if any(columns) else 0
    y0 = edge + title_height + heading_height
    width = x0 + n_columns * (cell + gap) - gap + edge
    if title:
        width = max(width, round(edge * 2 + _width(title, title_size)))
    height = y0 + sum(heights) + 2 * gap * (len(rows) - 1) + edge
    if width * height > MAX_PIXELS:
        raise SettingsError(f"a sheet of {width} x {height} pixels is too large; choose smaller cells or fewer rows")

    painter = painter_of(width, height)
    if title:
        painter.text(edge, edge + title_size / 2, title, title_size, _DARK, "start")
    for n, heading in enumerate(columns[:n_columns]):
        text = _shortened(heading, cell + gap, caption_size)
        middle = x0 + n * (cell + gap) + cell / 2
        painter.text(middle, y0 - caption_size * 1.2, text, caption_size, _GREY, "middle")
    y = y0
    for number, (row, lines, row_height) in enumerate(zip(rows, labels, heights, strict=True)):
        if number:
            painter.rule(edge, y - gap, width - 2 * edge)
        first = y + cell / 2 - (len(lines) - 1) * label_size * leading / 2
        for n, line in enumerate(lines):
            painter.text(edge + label_width, first + n * label_size * leading, line, label_size, _DARK, "end")
        for n, item in enumerate(row.cells):
            x = x0 + n * (cell + gap)
            if isinstance(item.drawing, Sketch):
                painter.sketch(x, y, cell, item.drawing)
            else:
                ink = _enlarged(item.drawing, cell)
                painter.ink(x + (cell - len(ink)) // 2, y + (cell - len(ink)) // 2, len(ink), ink)
            if item.highlight:
                painter.frame(x, y, cell, item.highlight, max(2, round(cell * 0.018)))
            if item.caption:
                text = _shortened(item.caption, cell + gap / 2, caption_size)
                painter.text(x + cell / 2, y + cell + caption_height / 2 + 1, text, caption_size, _GREY, "middle")
        y += row_height + 2 * gap
    return painter.finished()


def _enlarged(ink: Picture, cell: int) -> Picture:
    """Ink as dark on white with whole pixels where it fits the cell, reduced by area where it does not."""
    if ink.ndim != 2 or ink.shape[0] != ink.shape[1] or not ink.size:
        raise ValueError(f"ink of shape {ink.shape}; a square (n, n) is needed")
    times = cell // len(ink)
    if times:
        grown = ink.repeat(times, axis=0).repeat(times, axis=1)
    else:
        grown = np.asarray(cv2.resize(ink, (cell, cell), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(255 - grown.astype(np.float64) * (255 - INK[0]) / 255).round().astype(np.uint8)


class _PngPainter:
    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (width, height), "white")
        self._draw = ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, text: str, size: int, colour: str, anchor: str) -> None:
        self._draw.text(
            (x, y), text, colour, _font(size), anchor={"start": "l", "middle": "m", "end": "r"}[anchor] + "m"
        )

    def rule(self, x: float, y: float, width: float) -> None:
        self._draw.line((x, y, x + width, y), _RULE)

    def frame(self, x: float, y: float, side: float, colour: str, width: int) -> None:
        self._draw.rounded_rectangle((x, y, x + side - 1, y + side - 1), side * 0.04, None, colour, width)

    def sketch(self, x: float, y: float, side: int, sketch: Sketch) -> None:
        self._paste(x, y, draw_sketch(sketch, side))

    def ink(self, x: float, y: float, side: int, ink: Picture) -> None:
        self._paste(x, y, ink)
        self._draw.rectangle((x - 1, y - 1, x + side, y + side), outline=_RULE)

    def finished(self) -> bytes:
        return _encoded(self._image, _MAKER)

    def _paste(self, x: float, y: float, picture: Picture) -> None:
        from PIL import Image

        self._image.paste(Image.fromarray(picture), (round(x), round(y)))


class _SvgPainter:
    def __init__(self, width: int, height: int) -> None:
        self._parts = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
            ' font-family="Helvetica, Arial, sans-serif" style="background:#fff">',
            f"<metadata>{_MAKER}</metadata>",
        ]

    def text(self, x: float, y: float, text: str, size: int, colour: str, anchor: str) -> None:
        from sketch_pix2seq.formats.svg import xml_text

        self._parts.append(
            f'<text x="{x:g}" y="{y + size * 0.35:.2f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">'
            f"{xml_text(text)}</text>"
        )

    def rule(self, x: float, y: float, width: float) -> None:
        self._parts.append(f'<path d="M {x:g},{y + 0.5:g} h {width:g}" stroke="{_RULE}"/>')

    def frame(self, x: float, y: float, side: float, colour: str, width: int) -> None:
        from sketch_pix2seq.formats.svg import xml_text

        self._parts.append(
            f'<rect x="{x + width / 2:g}" y="{y + width / 2:g}" width="{side - width:g}" height="{side - width:g}"'
            f' rx="{side * 0.04:g}" fill="none" stroke="{xml_text(colour)}" stroke-width="{width}"/>'
        )

    def sketch(self, x: float, y: float, side: int, sketch: Sketch) -> None:
        from sketch_pix2seq.formats.svg import path_data

        self._parts.append(
            f'<g transform="translate({x:g} {y:g})" fill="none" stroke="#{bytes(INK).hex()}"'
            f' stroke-width="{line_width(side):.2f}" stroke-linecap="round" stroke-linejoin="round">'
        )
        self._parts += [f'<path d="{path_data(stroke)}"/>' for stroke in place(sketch, side)]
        self._parts.append("</g>")

    def ink(self, x: float, y: float, side: int, ink: Picture) -> None:
        data = base64.b64encode(_png(ink)).decode()
        self._parts.append(
            f'<image x="{x:g}" y="{y:g}" width="{side}" height="{side}" style="image-rendering:pixelated"'
            f' href="data:image/png;base64,{data}"/>'
            f'<rect x="{x - 0.5:g}" y="{y - 0.5:g}" width="{side + 1}" height="{side + 1}"'
            f' fill="none" stroke="{_RULE}"/>'
        )

    def finished(self) -> bytes:
        return "\n".join([*self._parts, "</svg>\n"]).encode()


# -- type -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _width(text: str, size: int) -> float:
    return float(_font(size).getlength(text))


def _shortened(text: str, width: float, size: int) -> str:
    """The text, cut with an ellipsis where it is wider than ``width`` pixels."""
    text = " ".join(text.split())
    if _width(text, size) <= width:
        return text
    while text and _width(text + "...", size) > width:
        text = text[:-1]
    return text.rstrip() + "..."


def _wrapped(text: str, width: float, size: int) -> list[str]:
    """The text in lines of at most ``width`` pixels, broken between words; three lines at most."""
    lines: list[str] = []
    for word in text.split():
        if lines and _width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > 3:
        lines[2:] = [" ".join(lines[2:])]
    return [_shortened(line, width, size) for line in lines]
