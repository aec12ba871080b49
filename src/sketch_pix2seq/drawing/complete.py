"""Completion: a started drawing is continued by the decoder.

The decoder's rows lie in the square frame of the finished drawing, and its code is the finished picture's; a started
drawing tells neither. The flow, given the code of the started strokes, proposes codes of whole drawings that begin so,
and where the strokes lie in them. Each proposal is weighed by the likelihood of the strokes under the decoder, and
those with most weight are continued. Where a picture of the whole is given, its code is known, and frames alone are
proposed; so are they for a decoder without a code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.constants import COMPLETE
from sketch_pix2seq.drawing.flow import LEVEL, Given, sample_codes
from sketch_pix2seq.drawing.model import DrawSettings, Model, Source, read_source, streams_of
from sketch_pix2seq.drawing.runtime import DrawingState, Runtime, Told
from sketch_pix2seq.drawing.sampler import draw, prefill
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.raster import shades_of
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, PEN_UP, SequenceSpec, whole_of
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

PROPOSALS: int = COMPLETE["proposals"]
"""Codes and frames that the flow proposes, at least."""
_RATIOS: tuple[float, ...] = tuple(COMPLETE["ratios"])
_PLACES: tuple[float, ...] = tuple(COMPLETE["places"])
"""Longest side of the whole over that of the started strokes, and where these lie in the room that is left, where
frames are proposed without the flow."""
_AS_PLACED: float = COMPLETE["as_placed"]
"""Nats a point in favour of the frame of a picture that is given as strokes."""


@dataclass(frozen=True, eq=False)
class _Proposals:
    """n whole drawings that the started strokes may be the beginning of."""

    codes: FloatArray
    told: Told
    side: DoubleArray
    """Longest side of each whole ``(n,)``, in the started drawing's coordinates."""
    centre: DoubleArray
    """Centre of the bounds of each whole ``(n, 2)``."""
    prior: DoubleArray
    """Log weight beside the likelihood of the strokes ``(n,)``."""

    def select(self, chosen: NDArray[np.integer]) -> _Proposals:
        told = self.told.select(chosen)
        return _Proposals(self.codes[chosen], told, self.side[chosen], self.centre[chosen], self.prior[chosen])


def complete(
    model: Model,
    started: Sketch,
    samples: int = 1,
    *,
    category: str | None = None,
    picture: Source | None = None,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
    on_progress: Callable[[int], None] | None = None,
) -> list[Sketch]:
    """Continue a started drawing in ``samples`` ways, the likeliest first, in the started drawing's own coordinates.

    Each begins with the started strokes as they are; ``metadata["started"]`` is their number, ``metadata["ended"]``
    says whether the drawing ended by itself, and ``metadata["finished"]`` how probable it is that nothing is missing in
    what is there: to the flow, or, where a picture is given or there is no encoder, to the decoder, which may end.
    The same seed, weights, settings and device give the same strokes.
    category: what it shall become. picture: what the finished drawing shall look like; if that is a `Sketch`, the
    started drawing lies in the coordinates of that. With neither, the strokes decide.
    on_progress: called with the number of alternatives finished since the last call.
    Raises SettingsError for no strokes, no samples, more points than ``settings.max_points`` leaves room for, an
    unknown category, or both a category and a picture; ModelError where the flow is needed and the model has none, or
    where a picture is given and the model has no encoder.
    """
    if samples < 1:
        raise SettingsError("samples must be at least 1")
    if not 0 <= seed < 1 << 64:
        raise SettingsError("the seed must be a whole number from 0 to 2 ** 64 - 1")
    if not started.strokes:
        raise SettingsError("there is nothing to complete: the started drawing has no strokes")
    if started.n_points >= settings.max_points:
        raise SettingsError(
            f"the started drawing has {started.n_points} points, which leaves no room for more; "
            f"max_points is {settings.max_points}"
        )
    if category is not None and picture is not None:
        raise SettingsError("a drawing is completed towards a category or a picture, not both")
    index = None if category is None else model.index_of(category)
    if picture is not None:
        proposals = _towards(model, started, picture)
    elif model.has_encoder:
        proposals = _from_flow(model, started, index, max(PROPOSALS, 2 * samples), seed, settings)
    else:
        proposals = _frames(model, started, np.zeros((1, 0), np.float32), Told.nothing(model.info, 1))
    kept, finished = _weighed(model, started, proposals, samples)
    if picture is None and model.has_encoder:
        known = np.array([len(model.info.categories) if index is None else index], np.int64)
        finished = float(model.runtime.finished(known, model.encode_sketches([started]))[0])
    drawings = _continued(model, started, kept, seed, settings)
    if on_progress is not None:
        on_progress(samples)
    about = {"started": len(started), "finished": finished}
    name = None if index is None else model.info.categories[index]
    return [drawing.with_(category=name, metadata=about) for drawing in drawings]


def _from_flow(
    model: Model, started: Sketch, category: int | None, n: int, seed: int, settings: DrawSettings
) -> _Proposals:
    if not model.has_flow:
        raise ModelError("this model has no flow over codes, which completion without a picture needs")
    index = np.full(n, len(model.info.categories) if category is None else category, np.int64)
    partial = np.repeat(model.encode_sketches([started]), n, axis=0)
    given = Given(index, partial, np.ones((n, 1), np.float32))
    codes, frames = sample_codes(model.runtime, given, streams_of(seed, n), guidance=settings.guidance)
    side, centre = _bounds(started)
    wholes = whole_of((np.full(n, side), np.tile(centre, (n, 1))), frames)
    told = Told.nothing(model.info, n)._replace(level=np.full(n, LEVEL, np.float32), category=index)
    return _Proposals(codes, told, np.asarray(wholes[0], np.float64), np.asarray(wholes[1], np.float64), np.zeros(n))


def _towards(model: Model, started: Sketch, picture: Source) -> _Proposals:
    """The picture's code in several frames; in its own, where it is given as strokes."""
    whole = picture if isinstance(picture, Sketch) else read_source(picture)
    ink = model.ink_of([whole])
    told = Told.nothing(model.info, 1)
    if model.info.model.attend > 0:
        told = told._replace(picture=shades_of(ink))
    proposals = _frames(model, started, model.encode_sketches([whole]), told)
    if isinstance(picture, Sketch):
        side, centre = _bounds(whole)
        proposals.side[0], proposals.centre[0] = max(side, _bounds(started)[0]), centre
        proposals.prior[0] = _AS_PLACED * started.n_points
    return proposals


def _frames(model: Model, started: Sketch, code: FloatArray, told: Told) -> _Proposals:
    """One code in several frames."""
    side, centre = _bounds(started)
    tried = [(1.0, 0.0, 0.0), *((r, x, y) for r, x, y in product(_RATIOS[1:], _PLACES, _PLACES))]
    ratio, x, y = np.array(tried).T
    room = (ratio - 1) * side / 2
    centres = centre + np.stack([x * room, y * room], axis=1)
    many = np.zeros(len(tried), np.int64)
    return _Proposals(code[many], told.select(many), ratio * side, centres, np.zeros(len(tried)))


def _weighed(model: Model, started: Sketch, proposals: _Proposals, samples: int) -> tuple[_Proposals, float]:
    """The proposals with most weight, and how probable it is that nothing is missing."""
    rows = _rows(started, proposals, model.info.sequence)
    n, k = rows.shape[:2]
    end = np.zeros((n, 1, 5), np.float32)
    end[:, :, 2 + PEN_END] = 1
    state = model.runtime.start(proposals.codes, proposals.told)
    densities, _ = prefill(model.runtime, state, np.concatenate([rows, end], axis=1))
    fit = densities[:, :k].sum(axis=(1, 2), dtype=np.float64) - 2 * k * np.log(proposals.side) + proposals.prior
    # The likelihood of the strokes is far too sure of itself, so it is tempered by their number.
    weight = (fit - fit.max()) / np.sqrt(max(1, k))
    order = np.argsort(-weight, kind="stable")
    share = np.exp(weight) / np.exp(weight).sum()
    finished = float((share * np.exp(densities[:, k, 1])).sum())
    return proposals.select(np.resize(order, samples)), finished


def _continued(model: Model, started: Sketch, proposals: _Proposals, seed: int, settings: DrawSettings) -> list[Sketch]:
    rows = _rows(started, proposals, model.info.sequence)

    def begin(runtime: Runtime, chosen: NDArray[np.int64]) -> DrawingState:
        some = proposals.select(chosen)
        return prefill(runtime, runtime.start(some.codes, some.told), rows[chosen])[1]

    pictures = proposals.told.picture if proposals.told.picture.any() else None
    streams = streams_of(seed ^ 0x5EED, len(rows))
    drawn = draw(model.runtime, begin, streams, settings, pictures=pictures, given=rows)
    return [
        _joined(started, sketch, side, centre, model.info.sequence, rows.shape[1])
        for sketch, side, centre in zip(drawn, proposals.side, proposals.centre, strict=True)
    ]


def _bounds(sketch: Sketch) -> tuple[float, DoubleArray]:
    left, top, right, bottom = sketch.bounds()
    return max(right - left, bottom - top, 1e-3), np.array([(left + right) / 2, (top + bottom) / 2])


def _rows(started: Sketch, proposals: _Proposals, spec: SequenceSpec) -> FloatArray:
    """The started strokes as stroke-5 rows ``(n, k, 5)`` in model units, in the frame of each whole."""
    points = started.points()
    placed = (points - proposals.centre[:, None]) * (CANVAS_SIZE / proposals.side)[:, None, None]
    before = np.zeros_like(placed[:, :1]) if spec.start == "centre" else placed[:, :1]
    rows = np.zeros((len(placed), len(points), 5), np.float32)
    rows[..., :2] = np.diff(placed, axis=1, prepend=before) / spec.scale
    last = np.zeros(len(points), bool)
    last[np.cumsum([len(stroke) for stroke in started.strokes]) - 1] = True
    rows[:, :, 2 + PEN_DOWN], rows[:, :, 2 + PEN_UP] = ~last, last
    return rows if spec.start == "centre" or len(points) == 1 else rows[:, 1:]


def _joined(started: Sketch, drawn: Sketch, side: float, centre: DoubleArray, spec: SequenceSpec, given: int) -> Sketch:
    """The started strokes as they are, and what was drawn after them, in their coordinates."""
    origin = np.full(2, CANVAS_SIZE / 2) if spec.start == "centre" else np.zeros(2)
    target = centre if spec.start == "centre" else started.points()[0].astype(np.float64)
    skip = given if spec.start == "centre" else given + 1
    strokes, seen = list(started.strokes), 0
    for stroke in drawn.strokes:
        part = stroke[max(0, skip - seen) :]
        seen += len(stroke)
        if len(part):
            strokes.append(((part - origin) * (side / CANVAS_SIZE) + target).astype(np.float32))
    return Sketch(tuple(strokes), metadata={"ended": drawn.metadata["ended"]})
