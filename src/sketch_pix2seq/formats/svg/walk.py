"""A walk over a document as a browser would draw it: which shapes are painted, where, and with what."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast
from urllib.parse import unquote

from sketch_pix2seq.formats.svg import layout, limits, outlines, values
from sketch_pix2seq.formats.svg.css import WINDOW, Declared, Styles, resolved
from sketch_pix2seq.formats.svg.document import Document, Node
from sketch_pix2seq.formats.svg.flatten import outline_length
from sketch_pix2seq.formats.svg.layout import extent, font_size, inherit
from sketch_pix2seq.formats.svg.limits import Budget
from sketch_pix2seq.formats.svg.outlines import Outline
from sketch_pix2seq.formats.svg.resources import FAINT, Resources
from sketch_pix2seq.formats.svg.shapes import Bounds, Clip, Shape, rectangle_clip
from sketch_pix2seq.formats.svg.values import IDENTITY, Matrix, Paint

SHAPES: Final = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"})
_GROUPS: Final = frozenset({"svg", "g", "a", "switch", "symbol"})
_DRAWN: Final = SHAPES | _GROUPS | {"use"}
_MARKED: Final = frozenset({"path", "line", "polyline", "polygon"})
_BLACK: Final[Paint] = (0, 0, 0, 1.0)
TOO_LARGE: Final = "coordinates that are too large, or not finite numbers, are left out"


@dataclass(frozen=True, slots=True)
class Context:
    """What an element inherits."""

    matrix: Matrix
    viewport: tuple[float, float]
    style: Mapping[str, str]
    alpha: float = 1.0
    clips: tuple[Clip, ...] = ()
    inside: frozenset[str] = frozenset()
    """Ids of the elements on the way here, through `use` as well."""
    depth: int = 0
    areas_only: bool = False
    """All shapes are areas, whatever their paint: within a clip path, or for a box."""
    paints: tuple[Paint | None, Paint | None] = (None, None)
    """Fill and stroke of the shape that a marker stands on."""


@dataclass(frozen=True)
class _Viewport:
    matrix: Matrix
    """From the units inside to those outside."""
    inside: tuple[float, float]
    outside: tuple[float, float]
    """Width and height in the units inside and outside."""
    origin: tuple[float, float]


@dataclass(frozen=True)
class Page:
    """The drawing, in the root's user units, or in pixels where its viewBox is stretched."""

    shapes: list[Shape]
    bounds: Bounds
    sized: bool
    """Whether the document states its size; else ``bounds`` is the window."""
    background: Paint | None


class Walk:
    """Walks over a document. `page` is the way in."""

    def __init__(self, document: Document, budget: Budget) -> None:
        self.document = document
        self.budget = budget
        self.styles = Styles(document, budget)
        self.resources = Resources(self)
        budget.elements = document.elements + limits.MAX_REPEATS
        if self._repeats(document.root, frozenset(), 0) > budget.elements:
            budget.elements = 0
            budget.visit()

    def page(self) -> Page | None:
        """All painted shapes in document order; None where the document has no area."""
        root = self.document.root
        declared = self.styles.declared(root)
        context = Context(IDENTITY, WINDOW, {})
        viewport = self._viewport(root, declared, context, {})
        if viewport is None:
            return None
        width, height = viewport.outside
        bounds: Bounds = (0.0, 0.0, width, height)
        (a, _, _, d, e, f), matrix = viewport.matrix, viewport.matrix
        if "viewBox" in root.attributes and math.isclose(a, d):
            bounds = (-e / a, -f / a, (width - e) / a, (height - f) / a)
            matrix = IDENTITY
        sized = (
            any(values.length(declared.get(name), 1.0) for name in ("width", "height")) or "viewBox" in root.attributes
        )
        context = replace(context, viewport=viewport.inside)
        shapes: list[Shape] = []
        self.visit(root, context, shapes, inner=matrix)
        background = declared.get("background-color", declared.get("background", "none"))
        return Page(shapes, bounds, sized, values.colour(background))

    def _repeats(self, node: Node, inside: frozenset[Node], depth: int) -> int:
        """How many elements an element draws, with what `use` repeats."""
        if node.repeats:
            return node.repeats
        if node in inside or depth > limits.MAX_DEPTH:
            return 1
        count = 1
        if node.tag == "use":
            target = self.target(node.attributes.get("href", ""))
            if target is not None:
                count += self._repeats(target, inside | {node}, depth + 1)
        elif node.tag in _GROUPS:
            for child in node.children:
                if child.tag in _DRAWN and child.tag != "symbol":
                    count += 1 if child.tag in SHAPES else self._repeats(child, inside | {node}, depth + 1)
        node.repeats = count
        return count

    def target(self, reference: str) -> Node | None:
        """The element of this document that a reference names."""
        name = reference.strip()
        if not name.startswith("#"):
            return None
        return self.document.by_id.get(name[1:]) or self.document.by_id.get(unquote(name[1:]))

    # -- elements -----------------------------------------------------------------------------------------

    def visit(
        self,
        node: Node,
        context: Context,
        found: list[Shape],
        *,
        used_size: Mapping[str, str] | None = None,
        inner: Matrix | None = None,
    ) -> None:
        """Add the painted shapes of an element.

        used_size: the width and height that a `use` asks for, where one led here. inner: the matrix of a viewport that
        is known already.
        """
        if node.tag not in _DRAWN or (node.tag == "symbol" and used_size is None):
            return
        self.budget.visit()
        if context.depth > limits.MAX_DEPTH:
            self.budget.refuse(f"elements nested deeper than {limits.MAX_DEPTH}")
        declared = self.styles.declared(node)
        style = inherit(declared, context.style)
        own = self._own(declared, style)
        if own.get("display") == "none" or not layout.is_for_us(node):
            return
        alpha = context.alpha * values.share(own.get("opacity"))
        if alpha < FAINT and not context.areas_only:
            return
        matrix = self._transformed(node, own, style, context)
        if matrix is None:
            return
        clips = context.clips
        if "clip-path" in own or "mask" in own:
            clips = clips + self.resources.clips(node, own, replace(context, matrix=matrix, style=style))
        if node.tag in SHAPES:
            if style.get("visibility", "visible") == "visible":
                self._shape(
                    node,
                    own,
                    Context(
                        matrix,
                        context.viewport,
                        style,
                        alpha,
                        clips,
                        context.inside,
                        context.depth,
                        context.areas_only,
                        context.paints,
                    ),
                    found,
                )
            return
        inside = context.inside | {node.attributes["id"]} if "id" in node.attributes else context.inside
        context = Context(
            matrix, context.viewport, style, alpha, clips, inside, context.depth + 1, context.areas_only, context.paints
        )
        if node.tag == "use":
            self._use(node, own, context, found)
            return
        if node.tag in ("svg", "symbol"):
            entered = self._enter(node, own, context, used_size or {}, inner)
            if entered is None:
                return
            context = entered
        for child in _chosen(node) if node.tag == "switch" else node.children:
            self.visit(child, context, found)

    def _enter(
        self, node: Node, own: Declared, context: Context, used_size: Mapping[str, str], inner: Matrix | None
    ) -> Context | None:
        """The context within an `svg` or `symbol`; None where it has no area."""
        if inner is not None:
            return replace(context, matrix=values.multiplied(context.matrix, inner))
        viewport = self._viewport(node, own, context, used_size)
        if viewport is None:
            return None
        clips = context.clips
        if own.get("overflow", "hidden") not in ("visible", "auto"):
            (x, y), (width, height) = viewport.origin, viewport.outside
            clips = (*clips, rectangle_clip((x, y, x + width, y + height), context.matrix))
        matrix = values.multiplied(context.matrix, viewport.matrix)
        return replace(context, matrix=matrix, viewport=viewport.inside, clips=clips)

    def _use(self, node: Node, own: Declared, context: Context, found: list[Shape]) -> None:
        target = self.target(node.attributes.get("href", ""))
        if target is None or target.attributes.get("id") in context.inside:
            return  # elsewhere, missing or inside itself: browsers draw nothing either
        x, y = (self.length(own, name, context) for name in ("x", "y"))
        context = replace(context, matrix=values.multiplied(context.matrix, values.translation(x, y)))
        size = {key: own[key] for key in ("width", "height") if own.get(key, "auto") != "auto"}
        self.visit(target, context, found, used_size=size)

    def _own(self, declared: Declared, style: Mapping[str, str]) -> Declared:
        """An element's own style with its variables put in."""
        if not any("var(" in value for value in declared.values()):
            return declared
        put = ((name, resolved(value, style)) for name, value in declared.items())
        return {name: value for name, value in put if value is not None}

    def _transformed(self, node: Node, own: Declared, style: Mapping[str, str], context: Context) -> Matrix | None:
        """The element's matrix; None where its transform cannot be read: nothing of it is drawn then."""
        texts = {
            name: own[name] for name in ("translate", "rotate", "scale", "transform") if own.get(name, "none") != "none"
        }
        if not texts:
            return context.matrix
        size, box = font_size(style), (0.0, 0.0, *context.viewport)
        if own.get("transform-box", "view-box") not in ("view-box", "inherit", "initial"):
            box = self.box(node, context) or box
        size_of_box = (box[2] - box[0], box[3] - box[1])
        matrix = IDENTITY
        for name, text in texts.items():
            if name != "transform":
                words = [word for word in text.replace(",", " ").split() if word not in ("x", "y", "z")]
                text = f"{name}({' '.join(words)})"
            part = values.transform(text, size_of_box, size)
            if part is None:
                self.budget.note(f"a transform that cannot be read: '{text[:60]}'; its element is left out")
                return None
            matrix = values.multiplied(matrix, part)
        origin = own.get("transform-origin", "50% 50%" if node.parent is None else "0 0")
        x, y = layout.position(origin, size_of_box, size)
        matrix = values.around(matrix, box[0] + x, box[1] + y)
        return values.multiplied(context.matrix, matrix)

    def box(self, node: Node, context: Context) -> Bounds | None:
        """The bounding box of an element in its own coordinates; None where it draws nothing."""
        plain = Context(
            IDENTITY, context.viewport, context.style, inside=context.inside, depth=context.depth + 1, areas_only=True
        )
        shapes: list[Shape] = []
        if node.tag in SHAPES:
            self._shape(node, self._own(self.styles.declared(node), context.style), plain, shapes)
        elif node.tag == "use":
            self._use(node, self.styles.declared(node), plain, shapes)
        else:
            for child in node.children:
                self.visit(child, plain, shapes)
        if not shapes:
            return None
        lefts, tops, rights, bottoms = zip(*(shape.bounds() for shape in shapes), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    # -- viewports ----------------------------------------------------------------------------------------

    def length(self, own: Declared, name: str, context: Context) -> float:
        """A length in pixels, 0 where it is missing."""
        text = own.get(name)
        if text is None:
            return 0.0
        return values.length(text, extent(name, context.viewport), font_size(context.style)) or 0.0

    def _viewport(self, node: Node, own: Declared, context: Context, used_size: Mapping[str, str]) -> _Viewport | None:
        """Of an `svg` or `symbol`; None where it has no area."""
        outer, size = context.viewport, font_size(context.style)
        box = values.numbers(node.attributes.get("viewBox", "")[:400])
        if len(box) != 4 or not all(map(math.isfinite, box)):
            box = []
        elif not (box[2] > 0 and box[3] > 0):
            return None
        is_root = node is self.document.root
        whole = (box[2], box[3]) if box and is_root else outer
        given = {**own, **used_size}
        width, height = (
            values.length(given.get(name), full, size) for name, full in zip(("width", "height"), whole, strict=True)
        )
        if is_root and box:
            if not (layout.plausible(width) and layout.plausible(height)):
                width, height = whole
            elif width is None and height is not None:
                width = height * box[2] / box[3]
            elif height is None and width is not None:
                height = width * box[3] / box[2]
        width, height = whole[0] if width is None else width, whole[1] if height is None else height
        if not (0 < width < limits.MAX_COORDINATE and 0 < height < limits.MAX_COORDINATE):
            return None
        x, y = (0.0, 0.0) if is_root else (self.length(own, "x", context), self.length(own, "y", context))
        if not box:
            return _Viewport(values.translation(x, y), (width, height), (width, height), (x, y))
        fitted = layout.fitted(width, height, box, node.attributes.get("preserveAspectRatio", ""))
        if node.tag == "symbol":
            x, y = (
                x - layout.reference_point(node, "refX", box, fitted),
                y - layout.reference_point(node, "refY", box, fitted),
            )
        return _Viewport(values.multiplied(values.translation(x, y), fitted), (box[2], box[3]), (width, height), (x, y))

    # -- shapes -------------------------------------------------------------------------------------------

    def _shape(self, node: Node, own: Declared, context: Context, found: list[Shape]) -> None:
        style = context.style
        if context.areas_only:
            fill: Paint | None = _BLACK
            stroke: Paint | None = None
            width = 0.0
        else:
            fill = self.resources.paint(style, "fill", context)
            stroke = self.resources.paint(style, "stroke", context)
            width = (
                values.length(style.get("stroke-width", "1"), extent("r", context.viewport), font_size(style)) or 0.0
            )
            if not width > 0:
                stroke = None
        marked = (
            not context.areas_only
            and node.tag in _MARKED
            and any(style.get(name, "none") != "none" for name in ("marker-start", "marker-mid", "marker-end"))
        )
        if fill is None and stroke is None and not marked:
            return
        local = self._outlines(node, own, context)
        if not local:
            return
        size = values.size_of(context.matrix) if own.get("vector-effect") != "non-scaling-stroke" else 1.0
        if fill is not None or stroke is not None:
            rule = "clip-rule" if context.areas_only else "fill-rule"
            dashes, offset = (
                self._dashes(node, context) if stroke is not None and "stroke-dasharray" in style else ((), 0.0)
            )
            found.append(
                Shape(
                    [outline.moved(context.matrix) for outline in local], fill, stroke, width * size,
                    style.get(rule) == "evenodd", style.get("stroke-linecap") == "round",
                    tuple(length * size for length in dashes), offset * size, context.clips,
                )
            )  # fmt: skip
        if marked:
            self.resources.markers(local, context, width if stroke is not None else 1.0, (fill, stroke), found)

    def _dashes(self, node: Node, context: Context) -> tuple[tuple[float, ...], float]:
        """The dashes of a line in its own units and where they begin."""
        style = context.style
        size, whole = font_size(style), extent("r", context.viewport)
        lengths = [
            values.length(word, whole, size) for word in style["stroke-dasharray"][:400].replace(",", " ").split()
        ]
        known = [length for length in lengths if length is not None and math.isfinite(length) and length >= 0]
        if len(known) < len(lengths) or not sum(known) > 0:
            return (), 0.0
        offset = values.length(style.get("stroke-dashoffset"), whole, size) or 0.0
        total = values.length(node.attributes.get("pathLength"), 1.0)
        if total and total > 0:
            scale = sum(map(outline_length, cast("list[Outline]", node.outlines))) / total
            known, offset = [length * scale for length in known], offset * scale
        return tuple(known * (1 + len(known) % 2)), offset if math.isfinite(offset) else 0.0

    def _outlines(self, node: Node, own: Declared, context: Context) -> list[Outline]:
        """In the element's own coordinates."""
        if node.tag in ("path", "polyline", "polygon"):
            if node.outlines is None:
                node.outlines = self._read(node, own)
            found = cast("list[Outline]", node.outlines)
        else:
            outline = self._basic(node, own, context)
            node.outlines = found = [] if outline is None else [outline]
        self.budget.add_points(sum(len(outline.degrees) for outline in found))
        return found

    def _read(self, node: Node, own: Declared) -> list[Outline]:
        if node.tag == "path":
            text = own.get("d", "")
            if text.startswith("path("):
                text = text[5:].rstrip(") \t\n").strip("'\" ")
            found, count, problem = outlines.path_outlines(text)
        else:
            found, count, problem = outlines.polyline_outlines(
                node.attributes.get("points", ""), closed=node.tag == "polygon"
            )
        self.budget.add_points(count)
        if problem is not None:
            self.budget.note(problem)
        return found

    def _basic(self, node: Node, own: Declared, context: Context) -> Outline | None:
        def get(name: str) -> float:
            return self.length(own, name, context)

        if node.tag == "line":
            return outlines.line_outline(get("x1"), get("y1"), get("x2"), get("y2"))
        if node.tag == "rect":
            x, y, width, height = get("x"), get("y"), get("width"), get("height")
            if not (width > 0 and height > 0):
                return None
            size = font_size(context.style)
            rx, ry = (values.length(own.get(name), extent(name, context.viewport), size) for name in ("rx", "ry"))
            return self._bounded(outlines.rect_outline, (x, y, width, height), rx, ry)
        cx, cy = get("cx"), get("cy")
        if node.tag == "circle":
            rx = ry = get("r")
        else:
            rx, ry = get("rx"), get("ry")
            rx, ry = rx or ry, ry or rx
        return self._bounded(outlines.ellipse_outline, (cx, cy, rx, ry)) if rx > 0 and ry > 0 else None

    def _bounded(
        self, make: Callable[..., Outline], numbers: tuple[float, ...], *others: float | None
    ) -> Outline | None:
        if all(abs(number) < limits.MAX_COORDINATE for number in numbers):
            return make(*numbers, *others)
        self.budget.note(TOO_LARGE)
        return None


def _chosen(node: Node) -> list[Node]:
    """The child of a `switch` that is drawn: the first whose conditions hold, of those that can draw lines."""
    return [child for child in node.children if child.tag in _DRAWN and layout.is_for_us(child)][:1]
