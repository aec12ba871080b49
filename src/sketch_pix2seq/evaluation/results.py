"""What an evaluation found, as values that are written to JSON and read back."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.raster import RasterSpec

T = TypeVar("T")

VERSION = 2


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, from ``n`` sketches."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Losses:
    """Teacher-forced losses with z at its mean."""

    l_r: Estimate
    """A sketch's negative log likelihood over ``longest`` rows: the published normalisation."""
    nats_point: Estimate
    """Negative log likelihood in nats a point."""
    longest: int
    """N_max of the training split."""
    l_kl: Estimate | None
    """KL(q(z|x) || N(0, 1)) a sketch and number of z; None for a model whose z is not sampled."""
    by_category: Mapping[str, Estimate]
    """Nats a point."""
    l_r_code: Estimate | None = None
    """``l_r`` given the code alone, of a model that looks at the picture, too, when it draws; None of others."""
    nats_point_code: Estimate | None = None
    """Nats a point, in the same way."""


@dataclass(frozen=True)
class Recognition:
    """Rec: how often the classifier names the category that was meant."""

    top1: Estimate
    top3: Estimate
    by_category: Mapping[str, Estimate]
    """Top 1."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows: what was meant; columns: what the classifier said; both in the order of `Evaluation.categories`, the
    classifier's other categories together in the last column."""


@dataclass(frozen=True)
class Retrieval:
    """Ret@k."""

    gallery: int
    temperature: float
    at: Mapping[str, Estimate]
    """k (as text) -> share."""
    by_category: Mapping[str, Estimate]
    """Ret@1."""


@dataclass(frozen=True)
class Distribution:
    """Redrawings against people's sketches in the classifier's features."""

    reference: int
    """People's training sketches that both were compared with: as many, of the same categories."""
    fid: Estimate
    """Of the redrawings."""
    fid_people: Estimate
    """Of the test sketches that were redrawn: what FID is at its best with so many."""
    precision: Estimate
    recall: Estimate
    precision_people: Estimate
    recall_people: Estimate
    neighbours: int
    """k of precision and recall."""


@dataclass(frozen=True)
class Likeness:
    """Drawings of some inputs beside the person's own: a row of the table over freedom.

    Every figure is None where it cannot be taken: too few inputs, a classifier that does not know the categories, a
    package that is missing.
    """

    name: str
    """How the drawings came about: "freedom 0.5", `TRACED` or `ANOTHER_PERSON`."""
    freedom: float | None
    """None for drawings that are not the model's."""
    inputs: int
    variety: Estimate | None
    """Mean distance between two drawings of one input, over that between two people's sketches of its category."""
    top1: Estimate | None
    """Rec."""
    fid_ratio: Estimate | None
    """FID over that of the inputs themselves, against the same training sketches."""
    recall: Estimate | None
    """Share of people's training sketches that lie among the drawings."""
    twin: Estimate | None
    """Distance to the nearest training sketch of the category, over that of people's own."""
    f1: Estimate
    """F1 of the ink to the input's, 1 pixel of tolerance."""
    matched: Estimate
    """Share of the person's strokes that have a match."""
    first: Estimate | None
    """Share of the inputs whose first stroke is the drawing's first stroke."""
    direction: Estimate | None
    """Share of the matched strokes that run the same way, mean over inputs."""
    tau: Estimate | None
    """Kendall's tau between the two orders of the matched strokes, mean over inputs."""
    order_test: Estimate | None
    """Accuracy of a linear classifier at telling the person's order of strokes from the drawing's; 0.5 = chance."""
    pixel_test: Estimate | None
    """Accuracy of a fresh CNN at telling the drawings from the inputs; 0.5 = chance."""
    stroke_test: Estimate | None
    """Accuracy of a random forest on stroke statistics at the same; 0.5 = chance."""
    strokes: Estimate
    """Strokes a sketch over those of the inputs."""


TRACED = "traced (convert)"
"""Name of the row of the package's own tracer."""
ANOTHER_PERSON = "another person"
"""Name of the row in which another person's sketch of the category stands for the drawing of an input."""


@dataclass(frozen=True)
class AtDamage:
    """Redrawings of inputs of which a share of the patches was removed, one of each."""

    damage: float
    """Share of the patches that hold ink."""
    gallery: int
    top1: Estimate | None
    """Rec; None where the classifier knows none of the categories."""
    retrieved: Estimate
    """Ret@1: the whole sketch of the input is found by the redrawing of what was left of it."""


@dataclass(frozen=True)
class StrokeStatistic:
    """One quantity of how things are drawn, in people's sketches and in the redrawings of the same."""

    name: str
    unit: str
    people: Estimate
    """Mean."""
    redrawn: Estimate
    """Mean."""
    distance: Estimate
    """Kolmogorov-Smirnov distance between the two distributions: 0 = alike, 1 = apart."""


@dataclass(frozen=True)
class Evaluation:
    """All figures of one model on one split of one set."""

    model: str
    """Where it came from."""
    network: str
    """The model in words."""
    training: Mapping[str, Any]
    """The model's own training record."""
    data: str
    split: str
    categories: tuple[str, ...]
    sketches: int
    """Test sketches that were used."""
    renderer: RasterSpec
    """How ink was drawn for the classifier, for FID and for the pixel-level two-sample test."""
    classifier: str
    """Which, and how it was made."""
    temperature: float
    """tau of all drawings; freedom is 0 but in ``likeness``."""
    seed: int
    seconds: float
    machine: str
    losses: Losses | None
    people: Recognition | None
    """The classifier on people's test sketches; None where it knows none of the categories."""
    redrawn: Recognition | None
    """The classifier on redrawings of the same."""
    ended: Estimate
    """Share of redrawings that ended by themselves."""
    retrieval: Retrieval | None
    distribution: Distribution | None
    likeness: tuple[Likeness, ...]
    """The table over freedom; empty where it was left out."""
    healing: tuple[AtDamage, ...]
    """Empty for a model whose encoder reads strokes."""
    strokes: tuple[StrokeStatistic, ...]
    rec_difference: Estimate | None = None
    """Rec top-1 of redrawings less people's, paired: whole sketches are resampled, each with its redrawing."""


def save_evaluation(evaluation: Evaluation, path: str | Path) -> Path:
    """Write as JSON."""
    text = json.dumps({"version": VERSION, **asdict(evaluation)}, indent=1)
    return write_whole(path, (text + "\n").encode())


def load_evaluation(path: str | Path) -> Evaluation:
    """Read what `save_evaluation` wrote. Raises FormatError for anything else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content.pop("version", None) != VERSION:
            raise ValueError(f"not of version {VERSION}")
        found: Evaluation = _typed(content, Evaluation)
        return found
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(path, f"not an evaluation that `sketch-pix2seq evaluate --json` wrote ({error})") from error


def _typed(value: Any, hint: Any) -> Any:
    """Plain JSON values as the types of the dataclasses above."""
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(value, next(o for o in options if o is not type(None)))
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        there = [f.name for f in fields(hint) if f.name in value or f.default is MISSING]
        return hint(**{name: _typed(value[name], hints[name]) for name in there})
    if origin is tuple:
        return tuple(_typed(item, options[0]) for item in value)
    if hint is not Any and origin is not None and issubclass(origin, Mapping):
        return {str(key): _typed(item, options[1]) for key, item in value.items()}
    return value
