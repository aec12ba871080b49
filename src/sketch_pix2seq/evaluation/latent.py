"""The latent map: codes of many categories laid out on a plane, and how well they keep the categories apart.

The figures (silhouette, purity) are taken in the space of the codes; the map is for the eye alone. Its distances
between clusters, their sizes and their shapes mean little.
"""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import DataError, FormatError, ModelError
from sketch_pix2seq.evaluation.metrics import neighbour_purity, silhouette
from sketch_pix2seq.evaluation.results import Estimate
from sketch_pix2seq.evaluation.statistics import bootstrap
from sketch_pix2seq.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg

MOST = 3000
"""Codes of a map at most: more take long and say no more."""
NEIGHBOURS = 10
"""k of the purity."""

_NEEDED = 'pip install "sketch-pix2seq[evaluate]"'
_MISSING = f"a latent map needs openTSNE and matplotlib: {_NEEDED}"


@dataclass(frozen=True)
class LatentFigures:
    """How well codes keep the categories apart."""

    codes: int
    """Sketches whose codes were used."""
    categories: int
    silhouette: Estimate | None
    """Mean silhouette, -1 to 1; None with one category."""
    purity: Estimate | None
    """Mean share of the nearest codes that are of the same category; None with one category."""
    neighbours: int
    """k of the purity."""
    chance: float
    """What purity is where codes say nothing of the category: that two codes at random are of one category."""


def latent_figures(codes: NDArray[np.floating], labels: NDArray[np.integer], seed: int = 0) -> LatentFigures:
    """Silhouette and purity of codes ``(n, z)`` with their categories ``(n,)``, each with its interval.

    Raises ModelError without scikit-learn, DataError for too few codes.
    """
    shares = np.bincount(labels)[np.unique(labels)]
    n, categories = len(labels), len(shares)
    if categories < 2:
        return LatentFigures(n, categories, None, None, NEIGHBOURS, 1.0)
    chance = float((shares * (shares - 1)).sum() / (n * (n - 1)))
    return LatentFigures(
        n,
        categories,
        bootstrap(silhouette(codes, labels, sample=MOST, seed=seed), seed=seed),
        bootstrap(neighbour_purity(codes, labels, NEIGHBOURS), seed=seed),
        NEIGHBOURS,
        chance,
    )


def save_latent(figures: LatentFigures, path: Path) -> Path:
    """Write as JSON."""
    return write_whole(path, (json.dumps(asdict(figures), indent=1) + "\n").encode())


def load_latent(path: Path) -> LatentFigures:
    """Read what `save_latent` wrote. Raises FormatError for anything else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for name in ("silhouette", "purity"):
            values[name] = None if values[name] is None else Estimate(**values[name])
        return LatentFigures(**values)
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise FormatError(path, f"not the figures of a latent map ({error}); delete it to make them again") from error


def latent_map(codes: NDArray[np.floating], seed: int = 0) -> NDArray[np.float64]:
    """Places ``(n, 2)`` of codes ``(n, z)`` on a plane, by t-SNE (van der Maaten & Hinton 2008; openTSNE).

    Exact neighbours, perplexity 30 (fewer for few codes), first placed by principal components; the same codes and
    seed give the same map. Give it at most some thousand codes: see `statistics.spread`.
    Raises ModelError without openTSNE, DataError for under five codes.
    """
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise ModelError(_MISSING) from error
    n = len(codes)
    if n < 5:
        raise DataError(f"a latent map needs at least 5 codes; there are {n}")
    centred = np.asarray(codes, np.float64) - np.mean(codes, axis=0, dtype=np.float64)
    size = float(np.abs(centred).max())
    if not size > 0:  # a model that has not learned to look gives one code for everything
        return np.random.default_rng(seed).normal(size=(n, 2))
    method = TSNE(
        perplexity=min(30.0, (n - 1) / 3),
        neighbors="exact",
        negative_gradient_method="bh",
        initialization="pca" if min(centred.shape) > 2 else "random",
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(method.fit(centred / size), np.float64)


def write_map(
    path: Path, places: NDArray[np.floating], labels: NDArray[np.integer], names: Sequence[str], *, size: int = 640
) -> Path:
    """A map as PNG: one dot a sketch, coloured by category, each category's name at the median of its dots.

    places: ``(n, 2)``; labels: ``(n,)``, the index into ``names`` of each; size: pixels a side.
    Raises ModelError without matplotlib, FileError where the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patheffects import withStroke
    except ImportError as error:
        raise ModelError(_MISSING) from error
    figure = Figure(figsize=(size / 100, size / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    colours = category_colours(len(names))
    order = np.random.default_rng(0).permutation(len(places))  # so that no category covers another
    dot = float(np.clip(9000 / len(places), 9, 30))
    axes.scatter(
        places[order, 0], places[order, 1], s=dot, c=[colours[labels[i]] for i in order], alpha=0.75, linewidths=0
    )
    low, high = places.min(axis=0), places.max(axis=0)
    room = 0.06 * np.maximum(high - low, 1e-9)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    present = [c for c in range(len(names)) if (labels == c).any()] if len(names) > 1 else []
    middles = np.array([np.median(places[labels == c], axis=0) for c in present]).reshape(-1, 2)
    font = 11 if len(present) <= 12 else 8.5
    texts = [
        axes.annotate(
            names[c],
            (0, 0),
            ha="center",
            va="center",
            fontsize=font,
            color=_darker(colours[c]),
            weight="bold",
            annotation_clip=False,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
        for c in present
    ]
    _place_texts(canvas, axes, texts, middles)
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor="white")
    return write_whole(path, _few_colours(file.getvalue()))


def category_colours(n: int) -> list[tuple[float, float, float]]:
    """``n`` colours that can be told apart: hues around the circle, in three lightnesses by turns."""
    lightness = (0.45, 0.62, 0.33) if n > 8 else (0.45,)
    return [colorsys.hls_to_rgb(i / max(1, n), lightness[i % len(lightness)], 0.68) for i in range(n)]


def _darker(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour)
    return colorsys.hls_to_rgb(hue, min(lightness, 0.3), saturation)


def _place_texts(canvas: FigureCanvasAgg, axes: Axes, texts: Sequence[Any], middles: NDArray[np.floating]) -> None:
    """Names near their categories' medians, pushed apart until none covers another, tied to them by thin lines."""
    if not len(texts):
        return
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    boxes = [text.get_window_extent(renderer) for text in texts]
    half = np.array([[box.width, box.height] for box in boxes]) / 2 + (3, 1)
    width, height = canvas.get_width_height()
    homes = axes.transData.transform(middles)
    # Names that share one place exactly would never part without a nudge.
    at = homes + np.random.default_rng(0).normal(scale=0.5, size=homes.shape)
    for _ in range(400):
        apart = at[:, None] - at[None]
        overlap = half[:, None] + half[None] - np.abs(apart)
        collide = (overlap > 0).all(axis=2) & ~np.eye(len(at), dtype=bool)
        if not collide.any():
            break
        sideways = overlap[..., 0] < overlap[..., 1]
        push = np.zeros_like(apart)
        push[..., 0] = np.where(collide & sideways, np.sign(apart[..., 0]) * overlap[..., 0], 0) / 2
        push[..., 1] = np.where(collide & ~sideways, np.sign(apart[..., 1]) * overlap[..., 1], 0) / 2
        at += 0.5 * push.sum(axis=1)
        at = np.clip(at, half + 2, np.array([width, height]) - half - 2)
    back = axes.transData.inverted()
    for text, home, place in zip(texts, homes, at, strict=True):
        text.set_position(back.transform(place))
        if np.hypot(*(place - home)) > 24:
            line = back.transform(np.stack([home, place]))
            axes.plot(line[:, 0], line[:, 1], color=text.get_color(), linewidth=0.6, alpha=0.7)


def _few_colours(png: bytes) -> bytes:
    """The same picture with a palette, a third as large: a report holds many."""
    from PIL import Image

    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
