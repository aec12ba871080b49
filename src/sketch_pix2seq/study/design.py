"""What a study consists of: its settings, its drawings, and the order in which one participant sees them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from sketch_pix2seq.errors import SettingsError

Show = Literal["animated", "still"]
Strokes: TypeAlias = list[list[list[int]]]
"""Strokes as the page gets them: points ``[x, y]`` in whole canvas units, longest side 255."""
T = TypeVar("T")


@dataclass(frozen=True)
class StudySettings:
    """How a study is made. The same settings, set and models give the same drawings."""

    per_category: int = 4
    """Test sketches by people of each category, and as many others that every model redraws."""
    trials: int = 48
    """Drawings that one participant judges: half by people, half by the models."""
    practice: int = 4
    """Drawings before that, whose maker is told after each answer; they are not counted."""
    show: Show = "animated"
    """"animated": drawn stroke by stroke; "still": there at once."""
    speed: float = 1.0
    """Speed of the animation; 1 = the hand of a typical Quick, Draw! player."""
    temperature: float = 0.2
    """Temperature of the redrawings."""
    freedom: float | None = None
    """Freedom of the redrawings, as in `sketch-pix2seq draw`; the model's default unless given."""
    seed: int = 0
    """Seed of the choice of sketches, of the redrawings and of the order for each participant."""

    def __post_init__(self) -> None:
        if self.per_category < 1:
            raise SettingsError("per_category must be at least 1")
        if self.trials < 2 or self.trials % 2:
            raise SettingsError(f"trials must be an even number, as half of them are people's; not {self.trials}")
        if self.practice < 0:
            raise SettingsError("practice cannot be below 0")
        if not 0.1 <= self.speed <= 100:
            raise SettingsError(f"a speed of {self.speed:g} is not possible; give 0.1 to 100")
        if not 0 <= self.seed < 1 << 64:
            raise SettingsError("the seed must be a whole number from 0 to 2 ** 64 - 1")


@dataclass(frozen=True)
class Renderer:
    """How the page draws, people's drawings and the models' alike. Lengths in canvas units, longest side 255."""

    line: float = 3.5
    """Width of the line, with round ends."""
    margin: float = 22.0
    """Paper on each side of a drawing, which is centred."""
    ink: str = "#26262b"
    paper: str = "#fdfcf9"
    units_per_second: float = 200.0
    """Speed of the pen on the paper: median of 66 raw Quick, Draw! drawings published as samples (cat, bus, flower)."""
    pause_seconds: float = 0.47
    """Time between two strokes: median of the same."""


@dataclass(frozen=True)
class Design:
    """All that says how a study was made; kept in the study itself."""

    id: str
    """Chosen by chance, so that a browser knows one study from another."""
    settings: StudySettings
    renderer: Renderer
    data: str
    """The set that the sketches are from."""
    data_sha256: str
    models: tuple[str, ...]
    models_sha256: tuple[str, ...]
    """Of each model's configuration and graphs."""
    made: str
    """When, ISO 8601, UTC."""
    package: str
    """Version of sketch-pix2seq."""


@dataclass(frozen=True)
class Drawing:
    """One drawing of a study."""

    model: str | None
    """The model that made it; None for a person's."""
    category: str
    original: int
    """Index in the set of the sketch that it is, or is a redrawing of."""
    practice: bool
    strokes: Strokes


def seconds_to_draw(strokes: Strokes, renderer: Renderer, speed: float = 1.0) -> float:
    """How long the animation of a drawing takes."""
    length = sum(float(np.hypot(*np.diff(np.array(stroke, np.float64), axis=0).T).sum()) for stroke in strokes)
    return (length / renderer.units_per_second + renderer.pause_seconds * (len(strokes) - 1)) / speed


def trial_order(drawings: Sequence[Drawing], settings: StudySettings, token: str) -> list[int]:
    """The drawings that a participant judges, as indices into ``drawings``, in order; practice is not among them.

    Half are people's. The other half are redrawings of distinct originals, split evenly over the models, so that no
    participant sees two redrawings of one sketch; where it cannot be even, chance says who has one more. In either
    half the categories are as even as can be, each half by itself, so that no category can be guessed by elimination.
    token: hexadecimal; the same token and seed give the same order.
    """
    rng = np.random.default_rng([settings.seed, int(token, 16)])
    people = [i for i, drawing in enumerate(drawings) if drawing.model is None and not drawing.practice]
    versions: dict[int, dict[str, int]] = {}
    for i, drawing in enumerate(drawings):
        if drawing.model is not None and not drawing.practice:
            versions.setdefault(drawing.original, {})[drawing.model] = i
    category_of = {drawing.original: drawing.category for drawing in drawings}
    half = settings.trials // 2
    chosen = spread(people, [drawings[i].category for i in people], rng)[:half]
    models = sorted({model for version in versions.values() for model in version})
    turns = [models[k] for k in rng.permutation(len(models))]
    originals = spread(list(versions), [category_of[original] for original in versions], rng)[:half]
    chosen += [versions[original][turns[n % len(turns)]] for n, original in enumerate(originals)]
    return [chosen[k] for k in rng.permutation(len(chosen))]


def spread(items: Sequence[T], groups: Sequence[Hashable], rng: np.random.Generator) -> list[T]:
    """The items shuffled so that any first n of them take the groups as evenly as can be."""
    order = [int(k) for k in rng.permutation(len(items))]
    seen: dict[Hashable, int] = {}
    rank = {}
    for k in order:
        rank[k] = seen[groups[k]] = seen.get(groups[k], -1) + 1
    return [items[k] for k in sorted(order, key=rank.__getitem__)]
