"""SVG: any drawing's lines in, clean polylines out.

Reading follows SVG 2 (https://www.w3.org/TR/SVG2/): a safe XML pass keeps the few elements and attributes that draw
lines, a walk over them works out what is visible (CSS, `use`, viewports), and svgelements parses path data, shapes
and transforms. Text, pictures, clip paths and masks are not drawn, and nothing is ever fetched.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from xml.parsers import expat
from xml.sax.saxutils import escape

import numpy as np

from sketch_pix2seq.errors import FileError, FormatError, SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats.paper import PaperSize, Placement, placed
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

MAX_BYTES = 50_000_000
"""Largest file that is read, unpacked where it is packed."""
MAX_POINTS = 500_000
"""Most points that a file may hold or flatten to."""
MAX_ELEMENTS = 200_000
"""Most elements that are visited, those that `use` repeats counted each time."""
MAX_DEPTH = 200
"""Deepest nesting of elements."""

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
_SHAPES: Final = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"})
_GROUPS: Final = frozenset({"svg", "g", "a", "switch"})
_TEXTS: Final = frozenset({"style", "title"})
_READ: Final = _SHAPES | _GROUPS | _TEXTS | {"use", "symbol", "defs"}
_LENGTHS: Final[tuple[str, ...]] = ("x", "y", "width", "height", "rx", "ry", "cx", "cy", "r", "x1", "y1", "x2", "y2")
_INHERITED: Final[tuple[str, ...]] = ("fill", "stroke", "fill-opacity", "stroke-opacity", "stroke-width", "visibility")
_STYLED: Final[tuple[str, ...]] = (*_INHERITED, "display", "opacity", "transform")
_KEPT: Final = {*_LENGTHS, *_STYLED, "id", "class", "style", "d", "points", "viewBox", "preserveAspectRatio", "href"}

_DOT = 2e-4
"""Largest extent of a dot, as a share of the drawing, or of the page where there is nothing else."""
_WINDOW = (1000.0, 1000.0)
"""Width and height in pixels of the window of a document that does not state its size."""
_UNITS: Final = {
    "": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96 / 72, "pc": 16.0,
    "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0,
}  # fmt: skip
_LENGTH = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-zA-Z]*|%)")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_CLEAR = re.compile(  # none, or a colour whose alpha is 0
    r"none|transparent|#(?:[\da-f]{3}0|[\da-f]{6}00)|(?:rgb|hsl)a?\((?:[^,/()]+,){3}\s*0*\.?0*%?\s*\)"
    r"|(?:rgb|hsl)a?\([^,/()]+/\s*0*\.?0*%?\s*\)"
)
_NOT_PATH_DATA = re.compile(r"[^MmZzLlHhVvCcSsQqTtAa\d\seE+\-.,]")
_NOT_POINTS = re.compile(r"[^\d\seE+\-.,]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


# -- writing ----------------------------------------------------------------------------------------------


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


# -- reading ----------------------------------------------------------------------------------------------


def read_svg(path: str | Path, *, tolerance: float = 0.5) -> Sketch:
    """The visible lines of an SVG (or .svgz) in its user units: one stroke a subpath, in document order.

    Shapes that are only filled give their outline, but one that merely colours the whole page is left out. No point
    of a curve is farther than ``tolerance`` from its polyline, in units of a drawing whose longest side is 255. What
    is smaller than 1/5000 of the drawing is a dot: a stroke of one point. The category is the document's title, where
    it has one.

    Raises FileError for a file that cannot be opened, FormatError for one that is not SVG, is malformed, larger than
    the limits above or without lines, SettingsError for a tolerance that is not above 0.
    """
    if not (tolerance > 0 and math.isfinite(tolerance)):
        raise SettingsError(f"a tolerance of {tolerance} is not possible; give a number above 0")
    path = Path(path)
    document = _parse_xml(path, _read_bytes(path))
    with np.errstate(all="ignore"):  # numbers off the scale are found by one check, not by warnings on the way
        outlines, page = _Walk(path, document).drawing()
        strokes = _flatten(path, outlines, tolerance, page)
    if not strokes:
        raise FormatError(path, _nothing_drawn(document))
    return Sketch(strokes, document.title)


def _read_bytes(path: Path) -> bytes:
    limit = f"larger than {MAX_BYTES // 1_000_000} MB, which is too large for a drawing"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileError(path, "no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise FormatError(path, "a damaged .svgz: it cannot be unpacked") from None
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise FormatError(path, limit)
    if not data.strip():
        raise FormatError(path, "an empty file")
    return data


@dataclass
class _Node:
    """An element that may draw, with the attributes that matter."""

    tag: str
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)


@dataclass
class _Document:
    root: _Node
    by_id: dict[str, _Node]
    stylesheet: str
    title: str | None
    left_out: set[str]
    """Tags of elements that show something but are not lines: text, image."""


def _parse_xml(path: Path, data: bytes) -> _Document:
    """The elements of `_READ` and their attributes of `_KEPT`; all else, with its children, is left out."""
    root: _Node | None = None
    stack: list[_Node] = []
    by_id: dict[str, _Node] = {}
    texts: dict[str, list[str]] = {"style": [], "title": []}
    left_out: set[str] = set()
    prefixes = {"": True, "svg": True}
    depth = skipping_from = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal root, depth, skipping_from
        depth += 1
        if depth > MAX_DEPTH:
            raise FormatError(path, f"elements nested deeper than {MAX_DEPTH}")
        if skipping_from:
            return
        for key, value in attributes.items():
            if key.startswith("xmlns:") or (key == "xmlns" and root is None):
                prefixes[key[6:]] = value.rstrip("/") == _SVG
        prefix, _, tag = name.rpartition(":")
        if root is None and (tag != "svg" or not prefixes.get(prefix, False)):
            raise FormatError(path, f"not an SVG: its first element is <{name[:40]}>, not <svg>")
        if tag not in _READ or not prefixes.get(prefix, False) or (stack and stack[-1].tag in _TEXTS):
            skipping_from = depth
            if prefixes.get(prefix, False) and tag in ("text", "image"):
                left_out.add(tag)
            return
        node = _Node(tag, {})
        for key, value in attributes.items():
            local = "href" if key.endswith(":href") else key
            if local in _KEPT:
                node.attributes.setdefault(local, value)
        if "id" in node.attributes:
            by_id.setdefault(node.attributes["id"], node)
        if root is None:
            root = node
        elif tag not in _TEXTS:
            stack[-1].children.append(node)
        stack.append(node)

    def end(_name: str) -> None:
        nonlocal depth, skipping_from
        if not skipping_from:
            stack.pop()
        elif skipping_from == depth:
            skipping_from = 0
        depth -= 1

    def characters(text: str) -> None:
        if not skipping_from and stack:
            tag = stack[-1].tag
            if tag == "style" or (tag == "title" and depth == 2):
                texts[tag].append(text)

    def entity(name: str, parameter: int, value: str | None, _base: object, system: str | None, *_: object) -> None:
        # Illustrator abbreviates its namespaces by entities; an attack nests them, repeats them or names a file.
        if system is not None:
            raise FormatError(path, f"its entity '{name[:40]}' refers to another file, which is not opened")
        if parameter or value is None or "&" in value or len(value) * data.count(b"&") > MAX_BYTES:
            raise FormatError(path, f"its entity '{name[:40]}' multiplies the file's size; remove the DOCTYPE")

    def default(_element: str, name: str, _kind: str, value: str | None, _required: int) -> None:
        if value is not None and len(value) * data.count(b"<") > MAX_BYTES:
            raise FormatError(path, f"its default for '{name[:40]}' multiplies the file's size; remove the DOCTYPE")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = entity
    parser.AttlistDeclHandler = default
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code) or "malformed"
        raise FormatError(path, f"not an SVG, or a damaged one: {reason} in line {error.lineno}") from None
    except (LookupError, ValueError) as error:
        raise FormatError(path, f"not an SVG, or in an unknown encoding: {error}") from None
    assert root is not None  # expat reports a document without an element itself
    title = " ".join("".join(texts["title"]).split())
    return _Document(root, by_id, "".join(texts["style"]), title or None, left_out)


def _nothing_drawn(document: _Document) -> str:
    if document.left_out:
        kinds = " and ".join({"text": "text", "image": "embedded pictures"}[tag] for tag in sorted(document.left_out))
        return f"no lines in it, only {kinds}; convert text to paths, or give the picture itself"
    return "no lines in it: nothing is drawn, or all is hidden"


# -- what is visible --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """A part of an outline, beginning where the one before it ends."""

    kind: Literal["lines", "bezier", "arc"]
    control: DoubleArray
    """lines: the points ``(n, 2)``; bezier: control points ``(3 or 4, 2)``; arc: centre and two conjugate radii."""
    start: float = 0.0
    sweep: float = 0.0
    """Angles of an arc in radians."""

    def moved(self, matrix: DoubleArray) -> _Piece:
        """By an affine ``(3, 3)`` matrix."""
        control = self.control @ matrix[:2, :2].T
        control[: 1 if self.kind == "arc" else None] += matrix[:2, 2]  # radii are directions and do not shift
        return replace(self, control=control)

    def points(self, segments: int) -> DoubleArray:
        """The points after the start: of a curve ``(segments, 2)``, at equal steps of its parameter."""
        if self.kind == "lines":
            return self.control
        if self.kind == "bezier":
            return _bernstein(len(self.control) - 1, segments) @ self.control
        angle = self.start + self.sweep * np.arange(1, segments + 1) / segments
        return np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1) @ self.control

    def segments(self, tolerance: float) -> float:
        """How many keep a curve within ``tolerance``: a chord is off by at most step^2 / 8 of the second derivative."""
        if self.kind == "lines":
            return len(self.control)
        if self.kind == "arc":
            bend = self.sweep**2 * np.linalg.norm(self.control[1:], 2)
        else:
            degree = len(self.control) - 1
            bend = degree * (degree - 1) * np.linalg.norm(np.diff(self.control, n=2, axis=0), axis=1).max()
        return max(1.0, math.ceil(math.sqrt(bend / (8 * tolerance)))) if tolerance > 0 else 1.0


@lru_cache(maxsize=256)
def _bernstein(degree: int, segments: int) -> DoubleArray:
    """Bernstein polynomials at ``segments`` equal steps after 0, ``(segments, degree + 1)``."""
    t = np.arange(1, segments + 1)[:, None] / segments
    k = np.arange(degree + 1)
    return np.array([math.comb(degree, int(i)) for i in k]) * t**k * (1 - t) ** (degree - k)


_Outline: TypeAlias = list[_Piece]
"""One subpath: its first piece is of lines and holds the point where the pen is put down."""


@dataclass(frozen=True)
class _Shape:
    outlines: list[_Outline]
    stroked: bool
    """Whether its line is painted, not only its area."""


@dataclass(frozen=True)
class _Viewport:
    matrix: DoubleArray
    """From the units inside to those outside, ``(3, 3)``."""
    inside: tuple[float, float]
    outside: tuple[float, float]
    """Width and height in the units inside and outside."""


@dataclass(frozen=True)
class _Context:
    """What an element inherits."""

    matrix: DoubleArray
    viewport: tuple[float, float]
    style: Mapping[str, str]
    inside: frozenset[str] = frozenset()
    """Ids of the elements on the way here, through `use` as well."""
    depth: int = 0


class _Walk:
    """Walks over a document as a browser would draw it."""

    def __init__(self, path: Path, document: _Document) -> None:
        self.path = path
        self.document = document
        self.rules = _rules(document.stylesheet)
        self.elements = 0
        self.numbers = 0

    def drawing(self) -> tuple[list[_Outline], DoubleArray | None]:
        """Outlines of all visible shapes in document order, without a background, and the page they are on.

        Both in the root's user units, or in pixels where its viewBox is stretched. The page is ``(2, 2)``: its corners;
        None where the document does not state its size.
        """
        root = self.document.root
        viewport = self._viewport(root, _WINDOW, {})
        if viewport is None:
            return [], None
        page = np.array([(0.0, 0.0), viewport.outside])
        if "viewBox" in root.attributes and math.isclose(viewport.matrix[0, 0], viewport.matrix[1, 1]):
            corners = np.hstack([page, np.ones((2, 1))]) @ np.linalg.inv(viewport.matrix).T
            page, viewport = corners[:, :2], replace(viewport, matrix=np.eye(3))
        shapes = list(self._visit(root, _Context(np.eye(3), viewport.inside, {}), viewport=viewport))
        if not root.attributes.keys() & {"viewBox", "width", "height"}:
            return [outline for shape in shapes for outline in shape.outlines], None
        shapes = [shape for shape in shapes if shape.stroked or not _covers(shape.outlines, page)] or shapes
        return [outline for shape in shapes for outline in shape.outlines], page

    def _visit(
        self,
        node: _Node,
        context: _Context,
        *,
        used_size: Mapping[str, str] | None = None,
        viewport: _Viewport | None = None,
    ) -> Iterator[_Shape]:
        """The visible shapes in an element.

        used_size: the width and height that a `use` asks for, where one led here. viewport: where it is known already.
        """
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise FormatError(self.path, f"more than {MAX_ELEMENTS:,} elements, counting each that <use> repeats")
        if context.depth > MAX_DEPTH:
            raise FormatError(self.path, f"elements nested deeper than {MAX_DEPTH}")
        style = self._style(node)
        if style.get("display") == "none" or _is_zero(style.get("opacity")) or node.tag == "defs":
            return
        if node.tag == "symbol" and used_size is None:
            return
        own = {key: style[key] for key in _INHERITED if style.get(key, "inherit") != "inherit"}
        matrix = context.matrix @ self._transform(style.get("transform"))
        inside = context.inside | {node.attributes["id"]} if "id" in node.attributes else context.inside
        context = _Context(matrix, context.viewport, {**context.style, **own}, inside, context.depth + 1)
        if node.tag in _SHAPES:
            filled, stroked = _painted(context.style)
            outlines = self._shape(node, context) if filled or stroked else []
            if outlines:
                yield _Shape(outlines, stroked)
        elif node.tag == "use":
            yield from self._use(node, context)
        else:
            if node.tag in ("svg", "symbol"):
                viewport = viewport or self._viewport(node, context.viewport, used_size or {})
                if viewport is None:
                    return
                context = replace(context, matrix=context.matrix @ viewport.matrix, viewport=viewport.inside)
            for child in node.children[:1] if node.tag == "switch" else node.children:
                yield from self._visit(child, context)

    def _use(self, node: _Node, context: _Context) -> Iterator[_Shape]:
        name = node.attributes.get("href", "").strip()
        target = self.document.by_id.get(name[1:]) if name.startswith("#") else None
        if (
            target is None or name[1:] in context.inside
        ):  # elsewhere, missing or inside itself: browsers draw nothing either
            return
        shift = _shift(self._length(node, "x", context.viewport), self._length(node, "y", context.viewport))
        context = replace(context, matrix=context.matrix @ shift)
        size = {key: value for key, value in node.attributes.items() if key in ("width", "height")}
        yield from self._visit(target, context, used_size=size)

    def _viewport(self, node: _Node, outer: tuple[float, float], used_size: Mapping[str, str]) -> _Viewport | None:
        """Of an `svg` or `symbol`; None where it has no area."""
        from svgelements import Matrix, Viewbox

        size = {**node.attributes, **used_size}
        box = [float(number) for number in _NUMBER.findall(node.attributes.get("viewBox", "")[:200])]
        if len(box) == 4 and not (box[2] > 0 and box[3] > 0):
            return None
        whole = (box[2], box[3]) if len(box) == 4 and node is self.document.root else outer
        x, y = _pixels(size.get("x"), outer[0]) or 0.0, _pixels(size.get("y"), outer[1]) or 0.0
        width, height = _pixels(size.get("width"), whole[0]), _pixels(size.get("height"), whole[1])
        width, height = whole[0] if width is None else width, whole[1] if height is None else height
        if not (width > 0 and height > 0):
            return None
        if len(box) != 4:
            return _Viewport(_shift(x, y), (width, height), (width, height))
        aspect = node.attributes.get("preserveAspectRatio", "").replace("defer", "").strip() or "xMidYMid"
        fitted = Matrix(Viewbox.viewbox_transform(x, y, width, height, *box, aspect))
        return _Viewport(_matrix(fitted), (box[2], box[3]), (width, height))

    def _style(self, node: _Node) -> dict[str, str]:
        """Presentation attributes, overruled by the stylesheet, overruled by the style attribute."""
        style = {key: node.attributes[key].strip() for key in _STYLED if key in node.attributes}
        if self.rules:
            classes = node.attributes.get("class", "").split()
            name = "#" + node.attributes["id"] if "id" in node.attributes else ""
            selectors = ["*", node.tag, *(f".{c}" for c in classes), *(f"{node.tag}.{c}" for c in classes)]
            for selector in (*selectors, name, node.tag + name):
                style.update(self.rules.get(selector, {}))
        style.update(_declarations(node.attributes.get("style", "")))
        return style

    def _transform(self, text: str | None) -> DoubleArray:
        from svgelements import Matrix

        if not text or text == "none":
            return np.eye(3)
        try:
            return _matrix(Matrix(text))
        except (ValueError, TypeError, IndexError) as error:
            raise FormatError(self.path, f"a transform that cannot be read: '{text[:60]}'") from error

    def _length(self, node: _Node, name: str, viewport: tuple[float, float]) -> float:
        """A length in pixels, 0 where it is missing."""
        return _pixels(node.attributes.get(name), _extent(name, viewport)) or 0.0

    def _shape(self, node: _Node, context: _Context) -> list[_Outline]:
        x, y, width, height, rx, ry, cx, cy, r, x1, y1, x2, y2 = (
            self._length(node, name, context.viewport) for name in _LENGTHS
        )
        outlines: list[_Outline] = []
        if node.tag == "path":
            outlines = self._path(node.attributes.get("d", ""))
        elif node.tag in ("polyline", "polygon"):
            outlines = self._polyline(node.attributes.get("points", ""), closed=node.tag == "polygon")
        elif node.tag == "line":
            outlines = [[_lines([(x1, y1), (x2, y2)])]]
        elif node.tag == "rect":
            if width > 0 and height > 0:
                outlines = [_rectangle(x, y, width, height, rx, ry)]
        else:
            rx, ry = (r, r) if node.tag == "circle" else (rx or ry, ry or rx)
            if rx > 0 and ry > 0:
                round_trip = _Piece("arc", np.array([(cx, cy), (rx, 0.0), (0.0, ry)]), 0.0, math.tau)
                outlines = [[_lines([(cx + rx, cy)]), round_trip]]
        return [[piece.moved(context.matrix) for piece in outline] for outline in outlines]

    def _path(self, data: str) -> list[_Outline]:
        from svgelements import Path as PathData

        if data.strip() in ("", "none"):
            return []
        self._check_numbers("path data", data, _NOT_PATH_DATA)
        try:
            segments = PathData(data).segments(transformed=False)
            return _outlines(segments)
        except (ValueError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
            raise FormatError(self.path, f"path data that cannot be read: '{data.strip()[:60]}'") from error

    def _polyline(self, text: str, *, closed: bool) -> list[_Outline]:
        self._check_numbers("points", text, _NOT_POINTS)
        numbers = [float(number) for number in _NUMBER.findall(text)]
        points = list(zip(numbers[::2], numbers[1::2], strict=False))
        if closed and points and points[0] != points[-1]:
            points.append(points[0])
        return [[_lines(points)]] if points else []

    def _check_numbers(self, what: str, text: str, foreign: re.Pattern[str]) -> None:
        odd = foreign.search(text)
        if odd:
            near = " ".join(text[max(0, odd.start() - 20) : odd.start() + 20].split())
            raise FormatError(self.path, f"{what} that are not numbers, near '{near}'")
        self.numbers += sum(1 for _ in _NUMBER.finditer(text)) + text.count("z") + text.count("Z")
        if self.numbers > 2 * MAX_POINTS:
            raise FormatError(self.path, f"more than {MAX_POINTS:,} points, which is too many for a drawing")


def _outlines(segments: Iterable[Any]) -> list[_Outline]:
    """The subpaths of svgelements' segments. A move that nothing follows draws nothing."""
    outlines: list[_Outline] = []
    outline: _Outline = []
    lines: list[tuple[float, float]] = []
    start = (0.0, 0.0)

    def flush() -> None:
        nonlocal lines
        if lines:
            outline.append(_lines(lines))
            lines = []

    def finish() -> None:
        nonlocal outline, lines
        if outline or len(lines) > 1:
            flush()
            outlines.append(outline)
        outline, lines = [], []

    for segment in segments:
        kind = type(segment).__name__
        end = None if segment.end is None else (segment.end.x, segment.end.y)
        if kind == "Move":
            finish()
            assert end is not None
            start, lines = end, [end]
            continue
        if not outline and not lines:  # drawing goes on after a close, from where that ended
            lines = [start]
        if kind == "Close":
            lines.append(start)
            finish()
        elif kind == "QuadraticBezier":
            flush()
            outline.append(_Piece("bezier", _array(segment.start, segment.control, segment.end)))
        elif kind == "CubicBezier":
            flush()
            outline.append(_Piece("bezier", _array(segment.start, segment.control1, segment.control2, segment.end)))
        elif kind == "Arc" and segment.rx and segment.ry and segment.sweep:
            flush()
            turn = float(segment.get_rotation())
            u = segment.rx * math.cos(turn), segment.rx * math.sin(turn)
            v = -segment.ry * math.sin(turn), segment.ry * math.cos(turn)
            control = np.array([(segment.center.x, segment.center.y), u, v])
            outline.append(_Piece("arc", control, float(segment.get_start_t()), float(segment.sweep)))
        elif end is not None:
            lines.append(end)
    finish()
    return outlines


def _rectangle(x: float, y: float, width: float, height: float, rx: float, ry: float) -> _Outline:
    from svgelements import Rect

    radii = [max(0.0, radius) or None for radius in (rx, ry)]
    return _outlines(Rect(x, y, width, height, *radii).segments(transformed=False))[0]


def _lines(points: Sequence[tuple[float, float]]) -> _Piece:
    return _Piece("lines", np.array(points, dtype=np.float64))


def _array(*points: Any) -> DoubleArray:
    return np.array([(point.x, point.y) for point in points], dtype=np.float64)


def _shift(x: float, y: float) -> DoubleArray:
    return np.array([(1.0, 0.0, x), (0.0, 1.0, y), (0.0, 0.0, 1.0)])


def _matrix(matrix: Any) -> DoubleArray:
    """svgelements' matrix as ``(3, 3)``."""
    return np.array([(matrix.a, matrix.c, matrix.e), (matrix.b, matrix.d, matrix.f), (0, 0, 1)], dtype=np.float64)


def _extent(name: str, viewport: tuple[float, float]) -> float:
    """What a percentage of this attribute is of: width, height, or for a radius their quadratic mean."""
    if name == "r":
        return math.hypot(*viewport) / math.sqrt(2)
    return viewport[1] if name in ("y", "height", "ry", "cy", "y1", "y2") else viewport[0]


def _pixels(text: str | None, whole: float) -> float | None:
    """An SVG length in CSS pixels; ``whole`` is what 100 % is. None for a missing, odd or `auto` one."""
    match = _LENGTH.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    amount, unit = float(match[1]), match[2].lower()
    if unit in ("%", "vw", "vh", "vmin", "vmax"):
        return amount * whole / 100
    return amount * _UNITS[unit] if unit in _UNITS else None


def _painted(style: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether the area and whether the line of a shape can be seen."""
    if style.get("visibility", "visible") != "visible":
        return False, False
    filled = not _CLEAR.fullmatch(style.get("fill", "black").lower()) and not _is_zero(style.get("fill-opacity"))
    stroked = not _CLEAR.fullmatch(style.get("stroke", "none").lower()) and not _is_zero(style.get("stroke-opacity"))
    return filled, stroked and not _is_zero(style.get("stroke-width"))


def _is_zero(text: str | None) -> bool:
    return _pixels(text, 100.0) == 0.0


def _covers(outlines: list[_Outline], page: DoubleArray) -> bool:
    """Whether a shape is one four-sided area over the whole page: a background."""
    if len(outlines) != 1 or any(piece.kind != "lines" for piece in outlines[0]):
        return False
    points = np.concatenate([piece.control for piece in outlines[0]])
    slack = 0.01 * np.ptp(page)
    inside = (points.min(axis=0) > page[0] + slack) | (points.max(axis=0) < page[1] - slack)
    return len(points) in (4, 5) and not inside.any()


def _rules(stylesheet: str) -> dict[str, dict[str, str]]:
    """Declarations by simple selector: ``*``, tag, ``.class``, ``tag.class``, ``#id``; not those within @media."""
    text = "".join(part if n == 0 else part.partition("*/")[2] for n, part in enumerate(stylesheet.split("/*")))
    rules: dict[str, dict[str, str]] = {}
    depth, conditional, selectors = 0, False, ""
    for token in re.split(r"([{}])", text.replace("<!--", " ").replace("-->", " ")):
        if token == "{":
            depth += 1
        elif token == "}":
            depth = max(0, depth - 1)
        elif depth == 0:
            selectors = token.rpartition(";")[2].strip()
            conditional = selectors.startswith("@")
        elif depth == 1 and not conditional:
            declared = _declarations(token)
            for selector in selectors.split(",") if declared else ():
                rules.setdefault(selector.strip(), {}).update(declared)
    return rules


def _declarations(text: str) -> dict[str, str]:
    """The properties of `_STYLED` in ``name: value; ...``."""
    style = {}
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip().lower()
        if name in _STYLED and value:
            style[name] = value.replace("!important", "").strip()
    return style


# -- flattening -------------------------------------------------------------------------------------------


def _flatten(
    path: Path, outlines: list[_Outline], tolerance: float, page: DoubleArray | None
) -> tuple[FloatArray, ...]:
    if not outlines:
        return ()
    rough = np.concatenate([piece.points(8) for outline in outlines for piece in outline])
    if not np.isfinite(rough.astype(np.float32)).all():
        raise FormatError(path, "coordinates that are not finite numbers")
    side = float(np.ptp(rough, axis=0).max())
    allowed = tolerance * side / CANVAS_SIZE
    counts = [[piece.segments(allowed) for piece in outline] for outline in outlines]
    total = sum(map(sum, counts))
    if not total <= MAX_POINTS:
        raise FormatError(path, f"more than {MAX_POINTS:,} points at this tolerance; give a larger one")
    dot = _DOT * side
    if page is not None and side < _DOT * np.ptp(page):
        dot = side
    strokes = []
    for outline, segments in zip(outlines, counts, strict=True):
        pieces = [piece.points(int(count)) for piece, count in zip(outline, segments, strict=True)]
        stroke = np.concatenate(pieces)
        strokes.append((stroke[:1] if np.ptp(stroke, axis=0).max() <= dot else stroke).astype(np.float32))
    return tuple(strokes)
