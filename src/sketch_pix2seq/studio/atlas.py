"""Making an atlas, the map of a model or of a set; see `drawing.atlas`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.errors import DataError, ModelError
from sketch_pix2seq.sketch import FloatArray, Sketch

OnProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with the part of the work, how much of it is done, and how much there is."""

PER_CATEGORY = 6
"""Drawings of each category."""
MOST_POINTS = 120
"""Points of a drawing at most: longer ones are seldom clear, and make a page slow to load."""
MARGIN = 0.04
"""Free at each side of the map."""

_FEWEST = 5
"""Drawings of a map at least."""
_ROUNDS = 2
"""How often categories that lack drawings are tried."""
_TRIED = 4
"""Drawings that are made, or sketches by people that are looked at, for each one that is wanted."""
_SURE: Final = 0.8
"""How probable a drawing's category must be, to the classifier, for the drawing to be clear."""
_DOUBTFUL, _DOUBTFUL_SHOWN, _PEOPLES_SHOWN = 0.2, 2, 6
"""Where a category has fewer clear drawings than these, the model's of at least this probability are shown too, and
any by people."""
_DOUBT: Final = -1e5
"""What parts doubtful drawings from clear ones, far below what any of these earns."""
_PULL = 0.75
"""How far categories are set apart before t-SNE: this share of its category's mean is added to each code. A code tells
more of shape than of kind; without this, two dozen drawings of a category lie all over the map."""
_APART = 0.5
"""How far drawings lie apart at least, as a share of their distance if they lay evenly."""
_SETTINGS = DrawSettings(max_points=MOST_POINTS)


def build_atlas(
    model: Model,
    sketches: SketchSet | None = None,
    *,
    per_category: int = PER_CATEGORY,
    seed: int = 0,
    on_progress: OnProgress = lambda part, done, total: None,
) -> Atlas:
    """An atlas of ``per_category`` drawings of each category, fewer where no more are clear.

    With a set: sketches by people from its training split. Without one: what the model draws from nothing. Left out
    are drawings of over `MOST_POINTS` points, and those that the classifier of the model's folder, or else the bundled
    one, takes for something else where it knows the category. The same model, set and seed give the same atlas.
    Raises ModelError for a model without an encoder or, without a set, a flow; DataError where no drawing is left.
    """
    if not model.has_encoder:
        raise ModelError("this model has no encoder, and so no map of what it sees")
    if per_category < 1:
        raise DataError("a map needs at least one drawing of each category")
    if sketches is None:
        chosen = _generated(model, per_category, seed, on_progress)
    else:
        chosen = _collected(model, sketches, per_category, seed, on_progress)
    if len(chosen) < _FEWEST:
        raise DataError(
            "there are too few clear drawings for a map: "
            + ("the model has not learned to draw from nothing" if sketches is None else f"{sketches.path} has no more")
        )
    on_progress("placing them on the map", 0, 0)
    # What is stored are whole canvas units; so these are what is encoded.
    drawings = [_whole(sketch) for sketch in chosen]
    names = tuple(sorted({sketch.category or "" for sketch in drawings}))
    ids = np.array([names.index(sketch.category or "") for sketch in drawings], np.uint16)
    codes = model.encode_sketches(drawings)
    places = _framed(_apart(_framed(_places(codes, ids, seed))))
    return Atlas(names, ids, places, codes, tuple(drawings), "model" if sketches is None else "people")


# -- which drawings ---------------------------------------------------------------------------------------


def _generated(model: Model, per_category: int, seed: int, on_progress: OnProgress) -> list[Sketch]:
    clearness = _judge(model)
    found: dict[str, list[tuple[float, Sketch]]] = {name: [] for name in model.info.categories}
    for turn in range(_ROUNDS):
        lacking = [name for name, rated in found.items() if sum(value > _DOUBT for value, _ in rated) < per_category]
        if not lacking:
            break
        total, done = _TRIED * per_category * len(lacking), 0

        def drawn(count: int, total: int = total, turn: int = turn) -> None:
            nonlocal done
            done += count
            on_progress(f"drawing for the map, round {turn + 1}", done, total)

        drawn(0)
        generated = model.generate(
            lacking, _TRIED * per_category, seed=seed + (turn << 32), settings=_SETTINGS, on_progress=drawn
        )
        for sketch, value in zip(generated, clearness(generated), strict=True):
            if value > -np.inf:
                found[sketch.category or ""].append((float(value), sketch))
    return [sketch for rated in found.values() for sketch in _clearest(rated, per_category)]


def _clearest(rated: list[tuple[float, Sketch]], most: int) -> list[Sketch]:
    """The clearest drawings, the clearest first; doubtful ones only where there are too few others."""
    ranked = sorted(rated, key=lambda each: each[0], reverse=True)
    clear = sum(value > _DOUBT for value, _ in ranked)
    return [sketch for _, sketch in ranked[: min(most, max(clear, _DOUBTFUL_SHOWN))]]


def _collected(
    model: Model, sketches: SketchSet, per_category: int, seed: int, on_progress: OnProgress
) -> list[Sketch]:
    clearness, rng = _judge(model), np.random.default_rng(seed)
    found: list[Sketch] = []
    for done, name in enumerate(sketches.categories):
        on_progress("choosing drawings for the map", done, len(sketches.categories))
        indices = sketches.indices("train", name)
        indices = indices[sketches.lengths[indices] <= MOST_POINTS]
        looked_at = [sketches[int(index)] for index in rng.permutation(indices)[: _TRIED * per_category]]
        rated = list(zip(looked_at, clearness(looked_at) > _DOUBT, strict=True))
        clear = [sketch for sketch, is_clear in rated if is_clear]
        # A model that has just begun takes hardly anything for what it is; people's drawings are shown all the same.
        others = [sketch for sketch, is_clear in rated if not is_clear]
        most = min(per_category, max(len(clear), _PEOPLES_SHOWN))
        found.extend([*clear, *others][:most])
    return found


def _judge(model: Model) -> Callable[[Sequence[Sketch]], NDArray[np.float64]]:
    """Tells how clear each of several drawings is: -inf where it is not of its category, else the higher the better.

    Up to `_DOUBT` it is doubtful. The classifier is asked where it knows the category.
    """
    classifier = model.classifier or load_classifier()

    def clearness(sketches: Sequence[Sketch]) -> NDArray[np.float64]:
        if not sketches:
            return np.zeros(0)
        wanted = [sketch.category or "" for sketch in sketches]
        good = np.array([bool(sketch.metadata.get("ended", True)) and _has_extent(sketch) for sketch in sketches])
        logits, _ = classifier.look(sketches)
        value = _of(logits - np.logaddexp.reduce(logits, axis=1)[:, None], classifier.categories, wanted)
        rated = value + np.where(value < np.log(_SURE), 2 * _DOUBT, 0)
        return np.where(good & (value >= np.log(_DOUBTFUL)), rated, -np.inf)

    return clearness


def _of(table: NDArray[np.floating], names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float64]:
    """The number of the wanted category in each row of a table; 0 where the names do not have it."""
    return np.array([row[names.index(name)] if name in names else 0.0 for row, name in zip(table, wanted, strict=True)])


def _has_extent(sketch: Sketch) -> bool:
    left, top, right, bottom = sketch.bounds()
    return max(right - left, bottom - top) > 0


def _whole(sketch: Sketch) -> Sketch:
    """Fitted, in whole canvas units, without points that then repeat the one before; the category is all it keeps."""
    strokes = []
    for stroke in sketch.fit().strokes:
        rounded = np.rint(stroke)
        moved = np.concatenate([[True], (np.diff(rounded, axis=0) != 0).any(axis=1)])
        strokes.append(rounded[moved])
    return Sketch(tuple(strokes), sketch.category)


# -- where they go ----------------------------------------------------------------------------------------


def has_tsne() -> bool:
    """Whether openTSNE is installed; without it a map is a plain one."""
    return find_spec("openTSNE") is not None


def _places(codes: FloatArray, ids: NDArray[np.integer], seed: int) -> NDArray[np.float64]:
    if not has_tsne():
        return plain_map(codes, ids)
    from sketch_pix2seq.evaluation.latent import latent_map

    means = np.stack([codes[ids == c].mean(axis=0) for c in range(int(ids.max()) + 1)])
    return latent_map(codes + _PULL * means[ids], seed)


def plain_map(codes: FloatArray, ids: NDArray[np.integer]) -> NDArray[np.float64]:
    """Places ``(n, 2)`` without t-SNE: categories by the principal components of their means, pushed apart; the
    drawings of each about its middle, by their own principal components."""
    present = np.unique(ids)
    means = np.stack([codes[ids == c].mean(axis=0) for c in present]).astype(np.float64)
    middles = _components(means) * np.sqrt(len(present))
    for _ in range(300):
        apart = middles[:, None] - middles
        distance = np.hypot(apart[..., 0], apart[..., 1]) + np.eye(len(present))
        push = np.maximum(0, 1 - distance)[..., None] * apart / distance[..., None]
        middles = 0.995 * middles + 0.3 * push.sum(axis=1)
    places = np.empty((len(codes), 2))
    for c, middle in zip(present, middles, strict=True):
        places[ids == c] = middle + 0.2 * _components(codes[ids == c].astype(np.float64))
    return places


def _components(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first two principal components ``(n, 2)`` of rows ``(n, d)``, each of deviation 1 where it has any."""
    centred = rows - rows.mean(axis=0)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    out = np.zeros((len(rows), 2))
    for k in range(min(2, len(sizes))):
        if sizes[k] > 1e-9:
            sign = np.sign(axes[k, np.abs(axes[k]).argmax()])
            out[:, k] = sign * left[:, k] * np.sqrt(len(rows))
    return out


def _apart(places: FloatArray) -> NDArray[np.float64]:
    """The places, those that all but cover each other moved apart, so that a pointer can tell them from one another."""
    least = _APART / np.sqrt(len(places))
    at = places + np.random.default_rng(0).normal(scale=1e-4, size=places.shape)
    for turn in range(100):
        if turn % 10 == 0:  # what is not near now will not be within ten turns
            x, y = at.T
            near = np.hypot(x[:, None] - x, y[:, None] - y) < 2 * least
            first, second = np.nonzero(np.triu(near, 1))
        way = at[first] - at[second]
        distance = np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)
        push = 0.3 * (np.maximum(least - distance, 0) / distance)[:, None] * way
        np.add.at(at, first, push)
        np.add.at(at, second, -push)
    return at


def _framed(places: NDArray[np.floating]) -> FloatArray:
    low, high = places.min(axis=0), places.max(axis=0)
    share = (places - low) / np.maximum(high - low, 1e-9)
    return np.asarray(MARGIN + (1 - 2 * MARGIN) * share, np.float32)
