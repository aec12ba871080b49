"""What shapes refer to: paint servers, clip paths, masks and markers. Each is resolved once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from sketch_pix2seq.formats.svg import layout, values
from sketch_pix2seq.formats.svg.css import Declared
from sketch_pix2seq.formats.svg.document import Node
from sketch_pix2seq.formats.svg.outlines import Outline
from sketch_pix2seq.formats.svg.shapes import Bounds, Clip, Shape, corners, rectangle_clip
from sketch_pix2seq.formats.svg.values import IDENTITY, UNKNOWN, Matrix, Paint

if TYPE_CHECKING:
    from sketch_pix2seq.formats.svg.walk import Context, Walk

FAINT: Final = 1 / 255
"""Least alpha of a paint that can be seen."""
_NOTHING: Final = Clip(shapes=())
_REFERENCE = re.compile(r"\s*+url\(\s*+['\"]?+([^'\")]*+)['\"]?+\s*+\)\s*+(.*+)", re.DOTALL)
_SERVERS: Final = frozenset({"linearGradient", "radialGradient", "pattern"})
_NOT_LINES: Final = frozenset({"text", "image", "foreignObject"})
_MOST_CLIPS: Final = 1500
"""Clip paths and masks that cut, each counted once for every place where it is."""
_LONGEST_CHAIN: Final = 16
"""Gradients, or clip paths, masks and markers, that may refer to each other."""


class Resources:
    """The resources of a document; a walk asks for them."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.gradients: dict[Node, Paint | None] = {}
        self.styles: dict[Node, Mapping[str, str]] = {}
        self.clip_cache: dict[tuple[Node, Matrix, Bounds | None], tuple[Clip, ...]] = {}
        self.marker_cache: dict[tuple[Node, tuple[Paint | None, Paint | None]], list[Shape]] = {}
        self.open: set[Node] = set()
        """Clip paths, masks and markers that are being resolved: one that refers to itself does nothing."""

    def inherited(self, node: Node) -> Mapping[str, str]:
        """The style of an element where it stands in the document, not where it is referred to."""
        if node not in self.styles:
            above: Mapping[str, str] = {} if node.parent is None else self.inherited(node.parent)
            self.styles[node] = layout.inherit(self.walk.styles.declared(node), above)
        return self.styles[node]

    # -- paint --------------------------------------------------------------------------------------------

    def paint(self, style: Mapping[str, str], name: str, context: Context) -> Paint | None:
        """The fill or stroke, its alpha with all opacities; None where nothing of it can be seen."""
        text = style.get(name, "black" if name == "fill" else "none")
        found = self._paint(text, name, style, context)
        if found is None:
            return None
        alpha = found[3] * values.share(style.get(f"{name}-opacity")) * context.alpha
        return (*found[:3], alpha) if alpha >= FAINT else None

    def _paint(self, text: str, name: str, style: Mapping[str, str], context: Context) -> Paint | None:
        if text == "none":
            return None
        match = _REFERENCE.match(text) if "(" in text else None
        if match:
            server = self.walk.target(match[1])
            if server is not None and server.tag in _SERVERS:
                return UNKNOWN if server.tag == "pattern" else self._gradient(server)
            text = match[2].strip() or "none"
        keyword = text.lower()
        if keyword == "none":
            return None
        if keyword in ("context-fill", "context-stroke"):
            return context.paints[keyword == "context-stroke"]
        found = values.colour(style.get("color", "black") if keyword == "currentcolor" else text)
        return found or ((0, 0, 0, 1.0) if name == "fill" else None)

    def _gradient(self, server: Node) -> Paint | None:
        """A gradient's colour where it has only one, else one that is not known; None for one that shows nothing."""
        if server not in self.gradients:
            holder: Node | None = server
            for _ in range(_LONGEST_CHAIN):
                if holder is None or any(child.tag == "stop" for child in holder.children):
                    break
                holder = self.walk.target(holder.attributes.get("href", ""))
            stops = [] if holder is None else [self._stop(child) for child in holder.children if child.tag == "stop"]
            alpha = max((stop[3] for stop in stops), default=0.0)
            known = stops[0][:3] if len({stop[:3] for stop in stops}) == 1 else UNKNOWN[:3]
            self.gradients[server] = (*known, alpha) if alpha >= FAINT else None
        return self.gradients[server]

    def _stop(self, stop: Node) -> Paint:
        own = self.walk.styles.declared(stop)
        text = own.get("stop-color", "black")
        found = values.colour(self.inherited(stop).get("color", "black") if text.lower() == "currentcolor" else text)
        red, green, blue, alpha = found or (0, 0, 0, 1.0)
        return red, green, blue, alpha * values.share(own.get("stop-opacity"))

    # -- clip paths and masks -----------------------------------------------------------------------------

    def clips(self, node: Node, own: Declared, context: Context) -> tuple[Clip, ...]:
        """What an element's clip path and mask leave of it."""
        found: tuple[Clip, ...] = ()
        for name, tag in (("clip-path", "clipPath"), ("mask", "mask")):
            match = _REFERENCE.match(own.get(name, "none"))
            target = self.walk.target(match[1]) if match else None
            chained = len(self.open) > _LONGEST_CHAIN
            if target is not None and target.tag == tag and target not in self.open and not chained:
                found += self._clip(target, node, context)
        return found

    def _clip(self, target: Node, node: Node, context: Context) -> tuple[Clip, ...]:
        attributes = target.attributes
        is_mask = target.tag == "mask"
        content = attributes.get("maskContentUnits" if is_mask else "clipPathUnits", "userSpaceOnUse")
        by_box = content == "objectBoundingBox"
        region = is_mask and bool(attributes.keys() & {"x", "y", "width", "height"})
        region_by_box = region and attributes.get("maskUnits", "objectBoundingBox") == "objectBoundingBox"
        box = self.walk.box(node, context) if by_box or region_by_box else None
        if box is None and (by_box or region_by_box):
            return (_NOTHING,)
        key = (target, context.matrix, box)
        if key not in self.clip_cache:
            if len(self.clip_cache) >= _MOST_CLIPS:
                self.walk.budget.note(
                    f"more than {_MOST_CLIPS:,} clip paths and masks: what the others cut is drawn whole"
                )
                return ()
            self.open.add(target)
            clips = self._content(target, context, box if by_box else None)
            if region and clips:
                clips = (self._region(target, context, box if region_by_box else None), *clips)
            self.open.discard(target)
            self.clip_cache[key] = clips
        return self.clip_cache[key]

    def _content(self, target: Node, context: Context, box: Bounds | None) -> tuple[Clip, ...]:
        """The clip that a clip path's or mask's content makes; none where it cannot be told."""
        is_mask = target.tag == "mask"
        if _holds(target, _NOT_LINES):
            return ()
        own = self.walk.styles.declared(target)
        matrix = context.matrix
        if box is not None:
            matrix = values.multiplied(matrix, (box[2] - box[0], 0.0, 0.0, box[3] - box[1], box[0], box[1]))
        if not is_mask and "transform" in own:
            matrix = values.multiplied(matrix, values.transform(own["transform"], context.viewport) or IDENTITY)
        inner = replace(
            context, matrix=matrix, style=self.inherited(target), alpha=1.0, clips=(), depth=context.depth + 1,
            areas_only=not is_mask,
        )  # fmt: skip
        shapes: list[Shape] = []
        for child in target.children:
            self.walk.visit(child, inner, shapes)
        further = self.clips(target, own, context)
        if is_mask:
            return (Clip(shapes=tuple(shapes), luminance=own.get("mask-type", "luminance") != "alpha"), *further)
        bounds = _rectangle(shapes)
        return (Clip(shapes=tuple(shapes)) if bounds is None else Clip(bounds), *further)

    def _region(self, target: Node, context: Context, box: Bounds | None) -> Clip:
        def get(name: str, default: str, whole: float) -> float:
            found = values.length(target.attributes.get(name, default), whole)
            return 0.0 if found is None else found

        width, height = context.viewport if box is None else (1.0, 1.0)
        x, y = get("x", "-10%", width), get("y", "-10%", height)
        right, bottom = x + get("width", "120%", width), y + get("height", "120%", height)
        if box is not None:
            across, down = box[2] - box[0], box[3] - box[1]
            x, right = box[0] + x * across, box[0] + right * across
            y, bottom = box[1] + y * down, box[1] + bottom * down
        return rectangle_clip((x, y, right, bottom), context.matrix)

    # -- markers ------------------------------------------------------------------------------------------

    def markers(
        self, local: list[Outline], context: Context, width: float, paints: tuple[Paint | None, Paint | None],
        found: list[Shape],
    ) -> None:  # fmt: skip
        """Add the markers of a shape, whose outlines are in its own coordinates."""
        vertices = [vertex for outline in local for vertex in _vertices(outline)]
        places = {"start": vertices[:1], "mid": vertices[1:-1], "end": vertices[-1:]}
        for place, here in places.items():
            match = _REFERENCE.match(context.style.get(f"marker-{place}", "none"))
            marker = self.walk.target(match[1]) if match else None
            if marker is None or marker.tag != "marker" or marker in self.open:
                continue
            content = self._marker(marker, context, paints)
            orient = marker.attributes.get("orient", "0").strip()
            turned = 180.0 if orient == "auto-start-reverse" and place == "start" else 0.0
            fixed = None if orient.startswith("auto") else values.length(orient.removesuffix("deg"), 0.0) or 0.0
            scale = 1.0 if marker.attributes.get("markerUnits") == "userSpaceOnUse" else width
            for x, y, angle in here if content and scale > 0 else ():
                turn = math.radians(angle + turned if fixed is None else fixed)
                cosine, sine = scale * math.cos(turn), scale * math.sin(turn)
                matrix = values.multiplied(context.matrix, (cosine, sine, -sine, cosine, x, y))
                for shape in content:
                    self.walk.budget.visit()
                    self.walk.budget.add_points(sum(len(outline.degrees) for outline in shape.outlines))
                    moved = shape.moved(matrix)
                    found.append(replace(moved, clips=context.clips + moved.clips))

    def _marker(self, marker: Node, context: Context, paints: tuple[Paint | None, Paint | None]) -> list[Shape]:
        """What a marker draws where its reference point is (0, 0)."""
        key = (marker, paints)
        if key in self.marker_cache:
            return self.marker_cache[key]
        size = [values.length(marker.attributes.get(name), 3.0) for name in ("markerWidth", "markerHeight")]
        width, height = (3.0 if side is None else side for side in size)
        box = values.numbers(marker.attributes.get("viewBox", "")[:400])
        shapes: list[Shape] = []
        if width > 0 and height > 0 and (len(box) != 4 or (box[2] > 0 and box[3] > 0)):
            matrix = IDENTITY
            if len(box) == 4:
                matrix = layout.fitted(width, height, box, marker.attributes.get("preserveAspectRatio", ""))
            else:
                box = [0.0, 0.0, width, height]
            x, y = (layout.reference_point(marker, name, box, matrix, 0.0) for name in ("refX", "refY"))
            matrix = values.multiplied(values.translation(-x, -y), matrix)
            inner = replace(
                context, matrix=matrix, viewport=(box[2], box[3]), style=self.inherited(marker), alpha=1.0, clips=(),
                depth=context.depth + 1, paints=paints,
            )  # fmt: skip
            self.open.add(marker)
            for child in marker.children:
                self.walk.visit(child, inner, shapes)
            self.open.discard(marker)
        self.marker_cache[key] = shapes
        return shapes


def _vertices(outline: Outline) -> list[tuple[float, float, float]]:
    """``(x, y, angle in degrees)`` of each vertex: the middle between the directions before and after it."""
    points = outline.points.tolist()
    directions: list[tuple[float, float] | None] = []
    ends = [points[0]]
    place = 0
    for degree in outline.degrees:
        piece = points[place : place + degree + 1]
        place += degree
        ends.append(piece[-1])
        directions.append(_direction(piece))
        directions.append(None if degree == 1 else _direction([(-x, -y) for x, y in reversed(piece)]))
        if degree == 1:
            directions[-1] = directions[-2]
    found = []
    last = len(ends) - 1
    for number, (x, y) in enumerate(ends):
        before = directions[2 * number - 1] if number else (directions[-1] if outline.closed else None)
        after = directions[2 * number] if number < last else (directions[0] if outline.closed else None)
        if before is None or after is None:
            u, v = before or after or (1.0, 0.0)
        else:
            u, v = before[0] + after[0], before[1] + after[1]
            if math.hypot(u, v) < 1e-9:
                u, v = -before[1], before[0]
        found.append((x, y, math.degrees(math.atan2(v, u))))
    return found


def _direction(piece: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Of a piece at its beginning, of length 1."""
    x, y = piece[0]
    for to_x, to_y in piece[1:]:
        far = math.hypot(to_x - x, to_y - y)
        if 0 < far < math.inf:
            return (to_x - x) / far, (to_y - y) / far
    return None


def _holds(node: Node, tags: frozenset[str]) -> bool:
    waiting = [node]
    while waiting:
        children = waiting.pop().children
        if any(child.tag in tags for child in children):
            return True
        waiting.extend(children)
    return False


def _rectangle(shapes: list[Shape]) -> Bounds | None:
    """The bounds of a single area that is a rectangle with upright sides."""
    if len(shapes) != 1 or len(shapes[0].outlines) != 1 or shapes[0].clips:
        return None
    outline = shapes[0].outlines[0]
    if not outline.is_straight() or len(outline.points) not in (4, 5):
        return None
    left, top, right, bottom = bounds = shapes[0].bounds()
    wanted = corners((left, top, right, bottom))[:4]
    close = 1e-9 * max(right - left, bottom - top)
    found = outline.points[:4]
    in_order = [
        np.abs(np.roll(wanted[::step], turn, axis=0) - found).max() <= close for step in (1, -1) for turn in range(4)
    ]
    return bounds if any(in_order) else None
